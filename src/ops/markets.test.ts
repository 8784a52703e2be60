import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { FileError } from './files.ts';
import { readMarkets } from './markets.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'propusk-markets-'));
after(() => rmSync(folder, { recursive: true }));

function fileWith(name: string, content: string | Buffer): string {
  const file = path.join(folder, name);
  writeFileSync(file, content);
  return file;
}

test('without a file there is the built-in list', () => {
  const markets = readMarkets(undefined);
  assert.equal(markets.find('XNAS').country, 'US');
  assert.ok(!markets.isListed('_SPBZ'));
});

test('what the file says stands before the built-in list', () => {
  const head = '"MIC","MARKET NAME-INSTITUTION DESCRIPTION","ISO COUNTRY CODE (ISO 3166)"';
  // Names may be in any encoding: they do not count.
  const name = Buffer.from('BOLSA DE M\u00c9XICO', 'latin1');
  const rows = [Buffer.from(`${head}\n"_SPBZ","`), name, Buffer.from('","RU"\n"XNAS","","CA"\n')];
  const markets = readMarkets(fileWith('mics.csv', Buffer.concat(rows)));
  assert.deepEqual(markets.find('_SPBZ'), { mic: '_SPBZ', country: 'RU', continent: 'EU' });
  assert.equal(markets.find('XNAS').country, 'CA');
  assert.equal(markets.find('XLON').country, 'GB');
});

test('a file that is none, or not there, is refused in one line', () => {
  const wrong = fileWith('wrong.csv', 'MIC,ISO COUNTRY CODE (ISO 3166)\nxnas,US\n"a\nb",US\n');
  for (const [file, expected] of [
    [
      wrong,
      /wrong\.csv is no list of MICs: line 2: "xnas" is not a MIC, .*; line 3: "a\\nb" is not/,
    ],
    [path.join(folder, 'none.csv'), /^the list of MICs cannot be read: ENOENT/],
  ] as const) {
    assert.throws(
      () => readMarkets(file),
      (error) => {
        assert.ok(error instanceof FileError);
        assert.match(error.message, expected);
        assert.ok(!error.message.includes('\n'));
        return true;
      },
    );
  }
});
