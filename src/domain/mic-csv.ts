/** The list of MICs as ISO 10383's registration authority publishes it: CSV with a row of names. */
import { continentOf } from './country.ts';
import { isMic, type MicCountries, NO_COUNTRY } from './mic.ts';

const MIC_COLUMN = 'MIC';
const COUNTRY_COLUMN = 'ISO COUNTRY CODE (ISO 3166)';
/** A field of RFC 4180, quoted or not, and what comes after it. */
const FIELD = /(?:"((?:[^"]+|"")*)"|(?!")([^,\r\n]*))(,|\r?\n|\r|$)/y;
/** How much that is wrong is told at most. */
const FLAWS_MAX = 10;

/** The country of each MIC, or one line for each thing that is wrong. */
export type ReadMics = { readonly countries: MicCountries } | { readonly flaws: readonly string[] };

interface Row {
  /** Where it begins; the first line is 1. */
  readonly line: number;
  readonly fields: readonly string[];
}

/**
 * Reads a list of MICs. Of its columns two count, in any place: MIC and ISO COUNTRY CODE (ISO 3166),
 * which is empty or ZZ for a market of no one country.
 */
export function readMicCsv(text: string): ReadMics {
  const rows = rowsOf(text.replace(/^\ufeff/, ''));
  if (typeof rows === 'string') return { flaws: [rows] };
  const [head, ...body] = rows;
  const names = head?.fields.map((name) => name.trim().toUpperCase()) ?? [];
  const missing = [MIC_COLUMN, COUNTRY_COLUMN].filter((name) => !names.includes(name));
  if (missing.length > 0) {
    return { flaws: [`line 1 must name the columns; missing: ${missing.join(', ')}`] };
  }
  if (body.length === 0) return { flaws: ['there is no MIC in it'] };
  return readRows(body, names.indexOf(MIC_COLUMN), names.indexOf(COUNTRY_COLUMN));
}

function readRows(rows: readonly Row[], micAt: number, countryAt: number): ReadMics {
  const countries = new Map<string, string>();
  const flaws: string[] = [];
  for (const { line, fields } of rows) {
    const mic = fields[micAt]?.trim() ?? '';
    const named = fields[countryAt]?.trim() ?? '';
    const country = named === NO_COUNTRY ? '' : named;
    if (!isMic(mic)) {
      flaws.push(`line ${line}: ${JSON.stringify(mic)} is not a MIC, such as XNAS or #RBRD`);
    } else if (country !== '' && continentOf(country) === undefined) {
      const what = JSON.stringify(country);
      flaws.push(`line ${line}: ${what} is not a country of ISO 3166, such as US`);
    } else if ((countries.get(mic) ?? country) !== country) {
      flaws.push(`line ${line}: ${mic} is in another country than on a line before`);
    }
    countries.set(mic, country);
  }
  if (flaws.length === 0) return { countries };
  const more = flaws.length - FLAWS_MAX;
  return { flaws: [...flaws.slice(0, FLAWS_MAX), ...(more > 0 ? [`${more} more lines`] : [])] };
}

/** The rows of a CSV text that are not empty, or what is wrong with it. */
function rowsOf(text: string): Row[] | string {
  const rows: Row[] = [];
  let line = 1;
  let start = 1;
  let fields: string[] = [];
  FIELD.lastIndex = 0;
  while (FIELD.lastIndex < text.length) {
    const found = FIELD.exec(text);
    if (found === null) return `line ${line}: a quote does not end, or something follows it`;
    const [all, quoted, plain = '', end] = found;
    fields.push(quoted?.replaceAll('""', '"') ?? plain);
    line += all.match(/\r?\n|\r/g)?.length ?? 0;
    if (end === ',') continue;
    if (fields.length > 1 || fields[0] !== '') rows.push({ line: start, fields });
    fields = [];
    start = line;
  }
  if (fields.length > 0) rows.push({ line: start, fields });
  return rows;
}
