/** What the bare servers answer: the documented example, the size of what Propusk answers. */

const createdAt = '2026-07-24T07:51:27Z';
const expiresAt = '2026-07-24T08:06:30Z';

export const answer = {
  created_at: createdAt,
  expires_at: expiresAt,
  md_permissions: ['#RBRD', '#WWCP'].map((mic) => ({
    quote_level: 'QUOTE_LEVEL_DEPTH_OF_MARKET',
    delay_minutes: 0,
    mic,
  })),
  account_ids: ['1899011'],
  readonly: false,
};

/** As JSON. */
export const answerJson = Buffer.from(JSON.stringify(answer));

function varint(value) {
  const bytes = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) + 128);
  }
}

/** A field whose value has a length, of a number below 16. */
function field(number, value) {
  return [number * 8 + 2, value.length, ...value];
}

/** `google.protobuf.Timestamp`. */
function timestamp(text) {
  return [8, ...varint(Date.parse(text) / 1000)];
}

function permission({ mic }) {
  return [8, 3, ...field(3, Buffer.from(mic))];
}

/** As a gRPC message, its prefix before it. */
export const answerMessage = Buffer.from([
  ...[0, 0, 0, 0, 0],
  ...field(1, timestamp(createdAt)),
  ...field(2, timestamp(expiresAt)),
  ...answer.md_permissions.flatMap((one) => field(3, permission(one))),
  ...field(4, Buffer.from('1899011')),
]);
answerMessage.writeUInt32BE(answerMessage.length - 5, 1);
