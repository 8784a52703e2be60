/**
 * Writes the built-in list of MICs from the CSV of ISO 10383's registration authority:
 * `node scripts/node.js scripts/mic-list.ts ISO10383_MIC.csv`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type MicCountries, NO_COUNTRY } from '../src/domain/mic.ts';
import { readMicCsv } from '../src/domain/mic-csv.ts';
import { ROOT } from './commands.ts';

/** One line holds so many MICs after its country: 100 columns, as everywhere. */
const MICS_PER_LINE = 19;

function render(countries: MicCountries): string {
  const byCountry = Map.groupBy([...countries.keys()].sort(), (mic) => countries.get(mic));
  const lines: string[] = [];
  for (const [country, mics] of [...byCountry].sort(([a = ''], [b = '']) => (a < b ? -1 : 1))) {
    for (let i = 0; i < mics.length; i += MICS_PER_LINE) {
      lines.push([country || NO_COUNTRY, ...mics.slice(i, i + MICS_PER_LINE)].join(' '));
    }
  }
  return lines.join('\n');
}

const [file = ''] = process.argv.slice(2);
const read = readMicCsv(readFileSync(file, 'utf8'));
if ('flaws' in read) throw new Error(`${file}: ${read.flaws.join('; ')}`);
const target = path.join(ROOT, 'src', 'domain', 'mic-list.ts');
writeFileSync(
  target,
  `/**
 * The MICs of ISO 10383 by country, those that have expired as well; made by scripts/mic-list.ts.
 * Where the list is from: docs/decisions/0014-where-a-market-is.md.
 */
export const MIC_LIST = \`
${render(read.countries)}
\`;
`,
);
process.stdout.write(`${target}: ${read.countries.size} MICs\n`);
