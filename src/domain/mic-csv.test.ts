import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readMicCsv } from './mic-csv.ts';

/** As the registration authority writes it. */
const HEAD =
  '"MIC","OPERATING MIC","OPRT/SGMT","MARKET NAME-INSTITUTION DESCRIPTION","ISO COUNTRY CODE (ISO 3166)","CITY","COMMENTS"';

function countriesOf(text: string): Record<string, string> {
  const read = readMicCsv(text);
  assert.ok('countries' in read, JSON.stringify(read));
  return Object.fromEntries(read.countries);
}

function flawsOf(text: string): readonly string[] {
  const read = readMicCsv(text);
  assert.ok('flaws' in read);
  return read.flaws;
}

test('the list is read as it is published, quotes and lines in comments and all', () => {
  const text = [
    HEAD,
    '"XNAS","XNAS","OPRT","NASDAQ, ""ALL MARKETS""","US","NEW YORK",""',
    '"XXXX","XXXX","OPRT","NO MARKET","ZZ","ZZ","FIRST LINE',
    'SECOND, LINE"',
    'XLON,XLON,OPRT,LONDON STOCK EXCHANGE,GB,LONDON,',
  ];
  const expected = { XNAS: 'US', XXXX: '', XLON: 'GB' };
  for (const end of ['\n', '\r\n', '\r']) {
    assert.deepEqual(countriesOf(text.join(end)), expected);
    assert.deepEqual(countriesOf(`\ufeff${text.join(end)}${end}${end}`), expected);
  }
});

test('columns may stand in any place, and two are enough', () => {
  assert.deepEqual(countriesOf('ISO COUNTRY CODE (ISO 3166),mic\nRU,_SPBZ\n ,#WORL\nRU,_SPBZ'), {
    _SPBZ: 'RU',
    '#WORL': '',
  });
});

test('what is wrong is told by its line', () => {
  const columns = 'MIC,ISO COUNTRY CODE (ISO 3166)';
  for (const [text, expected] of [
    ['', ['line 1 must name the columns; missing: MIC, ISO COUNTRY CODE (ISO 3166)']],
    ['MIC,COUNTRY\nXNAS,US', [/missing: ISO COUNTRY CODE \(ISO 3166\)$/]],
    [columns, ['there is no MIC in it']],
    [
      `${columns}\nxnas,US\n\nXLON,UK\nXLON\nXNYS,US\nXNYS,CA`,
      [
        'line 2: "xnas" is not a MIC, such as XNAS or #RBRD',
        'line 4: "UK" is not a country of ISO 3166, such as US',
        'line 5: XLON is in another country than on a line before',
        'line 7: XNYS is in another country than on a line before',
      ],
    ],
    [`${columns}\nXNAS,US\n"XLON,GB\n`, ['line 3: a quote does not end, or something follows it']],
    [`${columns}\n"X"LON,GB\n`, ['line 2: a quote does not end, or something follows it']],
    [`${columns}\n"a\nb",US\nx,US`, [/^line 2: "a\\nb" is not a MIC/, /^line 4: "x" is not a MIC/]],
  ] as const) {
    const flaws = flawsOf(text);
    assert.equal(flaws.length, expected.length, flaws.join('\n'));
    for (const [i, flaw] of flaws.entries()) {
      const wanted = expected[i] ?? '';
      if (typeof wanted === 'string') assert.equal(flaw, wanted);
      else assert.match(flaw, wanted);
    }
  }
});

test('of very much that is wrong the beginning is told', () => {
  const flaws = flawsOf(`MIC,ISO COUNTRY CODE (ISO 3166)\n${'x,US\n'.repeat(100_000)}`);
  assert.equal(flaws.length, 11);
  assert.equal(flaws[10], '99990 more lines');
});

test('whatever is written with quotes is read as it was', () => {
  const field = fc.string({ unit: fc.constantFrom('"', ',', '\n', '\r', 'a', ' ') });
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
  fc.assert(
    fc.property(fc.array(field, { maxLength: 3 }), (comments) => {
      const names = comments.map((_, i) => `C${i}`);
      const head = [...names, 'MIC', 'ISO COUNTRY CODE (ISO 3166)'].join(',');
      const row = [...comments, 'XNAS', 'US'].map(quoted).join(',');
      const expected = { XNAS: 'US', XLON: 'GB' };
      const other = [...comments.map(() => ''), 'XLON', 'GB'].join(',');
      assert.deepEqual(countriesOf(`${head}\n${row}\n${other}`), expected);
    }),
  );
});
