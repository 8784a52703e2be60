/** Texts that some readers take and others do not. */

function words(text: string): string[] {
  return text.trim().split(/\s+/);
}

export const ODD_NUMBERS: readonly string[] = [
  ...words(`
    +1 01 -01 -0 0 1. .5 -.5 --1 - + 1e 1e+ 1.0 1.5 -1.50 1e2 1E+2 1.25e2 10e-1 1e-1 0e9 0.0e-5 -0e1
    1e400 -1e400 1e-400 1e99999999999 3.5e38 3.4028235e38 3.4028236e38 1e18 1e19
    0x10 0X1p4 0b1 0o7 1_000 1,5 १ NaN nan Infinity -Infinity +Infinity inf INF infinity
    true null COLOR_RED 1n 1f 9007199254740993 -9007199254740993 9007199254740993.0
    9007199254740.993e3 100000000000000000000 1.00000000000000000001 12345678901234567890e-1
    123456789012345e4 -922337203685477580800e-2 18446744073709551615.0 3985013.25
  `),
  ...['', ' 1', '1 ', '1\u00a0', '1\n'],
];

export const ODD_BYTES: readonly string[] = [
  ...words(`
    * = == A A= A=== AA= AA=== AAA AAAA= AAAA==== AB AB== AA==AA== +/-_ -+AA AAA- AAA/ я AAB=
    AAAAA =AAA AA=A
  `),
  ...['A A=', ' AAA', 'AAA ', 'AA\nA', 'AAAA\n', 'AA\r\nAA', 'A\tAA', 'AA=\n='],
];

export const ODD_ENUMS: readonly string[] = [
  ...words('3 7 -2 color_red RED 01 +1 1.0 1e0 x 2147483648 null'),
  ...['', ' COLOR_RED'],
];

export const ODD_BOOLEANS: readonly string[] = [
  ...words('1 0 t f T F TRUE True FALSE False tRue yes on null'),
  ...['', ' true'],
];

export const ODD_TIMES: readonly string[] = [
  ...words(`
    2025-02-30T00:00:00Z 2023-02-29T00:00:00Z 2025-13-01T00:00:00Z 2025-00-01T00:00:00Z
    2025-01-01T24:00:00Z 2025-01-01T23:59:60Z 2025-01-01T00:60:00Z 2025-04-31T00:00:00Z
    2025-01-01t00:00:00z 2025-01-01T00:00:00 2025-01-01 2025 now 1735689600 2025-01-00T00:00:00Z
    2025-01-01T00:00:00+0300 2025-01-01T00:00:00+24:00 2025-01-01T00:00:00+23:60
    2025-01-01T00:00:00+00:00 2025-01-01T00:00:00-00:00 2025-01-01T00:00:00.Z
    2025-01-01T00:00:00.1234567891Z 2025-01-01T00:00:00,5Z 2025-1-1T0:0:0Z
    0001-01-01T00:00:00Z 0000-12-31T23:59:59Z 9999-12-31T23:59:59.999999999Z
    9999-12-31T23:59:59-01:00 0001-01-01T00:00:00+01:00 10000-01-01T00:00:00Z
    2025-01-01T1:00:00Z 2025-01-01T00:00Z 2025-01-01T00:00:00.5 -001-01-01T00:00:00Z
    2025-01-01T00:00:00.000000000000Z 1900-02-29T00:00:00Z 2000-02-29T00:00:00Z
  `),
  ...['', '2025-01-01T00:00:00Z ', ' 2025-01-01T00:00:00Z', '2025-01-01 00:00:00Z'],
];

export const ODD_DURATIONS: readonly string[] = [
  ...words(`
    0s -0s -0.5s +1s 1.s .5s -.5s .s s 1 1S 01s 00.5s 1.1234567891s 1.000000000000s 1sx 1e3s 1m
    315576000000s 315576000001s -315576000000.5s 315576000000.999999999s 1h30m 300ms --1s 1s1s
    99999999999999999999s 0x1s १s 1.5.5s -1.000000001s
  `),
  ...['', '1 s', ' 1s', '1s ', '1s\n'],
];

export const ODD_MASKS: readonly string[] = [
  ...words(`
    is_on Text a,,b , a. .a a..b 1a я a-b a1B aB1 isOn,is_on * aBC item.isOn _a a_ a__b isON a_1
  `),
  ...['a b', ' text', 'text ', ' '],
];

/** Segments of paths, encoded already. */
export const ODD_SEGMENTS: readonly string[] = [
  ...words(`
    . .. %2F a%2fb %25 %2541 %252F + %20 * ** {text} %00 a:b x:close :close x%3Aclose : a;b a=b
    known inner %ff %ED%A0%80 %zz % %4 a% %E2%98 ' " < ^ \` | \\
  `),
  '',
];

/** Pairs of queries, encoded already. */
export const ODD_PAIRS: readonly string[] = [
  ...words(`
    & = =x a text text= unknown=1 item.unknown=1 text.more=x a;b=1 item.=x .=x .text=x item..id=x
    text=a;b text=%zz %zz=1 text=%ff %ff=1 text=% __proto__=x __proto__.text=x constructor=1
    texts[]=a texts[0]=a text[a]=b item[id]=x items.id=x items[0].id=x items=x item=x item= item={}
    item.id[a]=b unknown[a]=b [text]=a text]=a ?text=a text=a%00b text=a=b text=%2B+%20
    text_by_text=a text_by_text.a=b item_by_text[a].id=b item_by_text.a.id=b text_by_text[a]=b
    textByText[a]=b&text_by_text[c]=d text_by_text[a]=b&text_by_text[a]=c text_by_text[]=b
    text_by_text=a&text_by_text=b text_by_text[a][b]=c text_by_text[a%0Ab]=c text_by_text[%5D]=a
    number_by_number[1]=2&number_by_number[01]=3 number_by_number[1]=2 number_by_number[x]=2 real_by_flag[true]=1 real_by_flag[1]=1.5
    color_by_number[1]=COLOR_RED item_by_text[a]={} time_by_number[1]=2025-01-01T00:00:00Z
    raw_by_text[a]=AQ wrapped_text.value=a at.seconds=5 record.fields=1 any_json.number_value=1
    left=a&right=1 left=a&word=b shade=1&middle.id=a middle.id=a&middle.amount=1 word=a&word=b
    text=a&text=b item.id=a&item.id=b item.id=a&item.inner.id=b alias=a renamed=a
    is_on=true&isOn=true alias=a&renamed=b item.inner.inner.id=deep item.made_at=x item.madeAt=
    nothing= nothing={} nothing=1 mask=text,item.id mask= mask=isOn mask=is_on lasting=1.5s
    record={"a":1} record=[] any_json=1 any_json="a" any_json=a any_json= any_list=[1]
  `),
  '',
];
