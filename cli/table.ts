/** Tables for people. */
import { styleText } from 'node:util';

/** One column: its heading, and a row's cell. */
export type Column<R> = readonly [heading: string, cell: (row: R) => string];

/** Colour is for a terminal alone; NO_COLOR and its like are heeded. */
type Paint = (text: string) => string;

/** Makes headings bold where the stream is a terminal that shows it. */
export function painter(stream: NodeJS.WritableStream): Paint {
  return (text) => styleText('bold', text, { stream });
}

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

function width(text: string): number {
  let count = 0;
  for (const _ of graphemes.segment(text)) count++;
  return count;
}

/** What others wrote must neither steer the terminal nor break a line of the table. */
function harmless(text: string): string {
  return text.replace(
    /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu,
    (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );
}

function pad(text: string, to: number): string {
  return text + ' '.repeat(to - width(text));
}

/** A heading, and a line for each row. */
export function table<R>(rows: readonly R[], columns: readonly Column<R>[], paint: Paint): string {
  const cells = rows.map((row) => columns.map(([, cell]) => harmless(cell(row))));
  const headings = columns.map(([heading]) => heading);
  const widths = headings.map((heading, i) =>
    cells.reduce((most, row) => Math.max(most, width(row[i] ?? '')), width(heading)),
  );
  const line = (texts: readonly string[], style: Paint) =>
    `${texts.map((text, i) => style(pad(text, widths[i] ?? 0))).join('  ')}`.trimEnd();
  const lines = [line(headings, paint), ...cells.map((row) => line(row, (text) => text))];
  return `${lines.join('\n')}\n`;
}

/** One thing: a line for each of its columns. */
export function card<R>(row: R, columns: readonly Column<R>[], paint: Paint): string {
  const widest = Math.max(...columns.map(([heading]) => width(heading)));
  const lines = columns.map(([heading, cell]) => {
    return `${paint(pad(heading, widest))}  ${harmless(cell(row))}`.trimEnd();
  });
  return `${lines.join('\n')}\n`;
}
