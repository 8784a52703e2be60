/** A chart of bars as SVG, to be read on a light and on a dark page. */

/** One server's bar. */
export interface Bar {
  readonly name: string;
  /** Of the limit, which is 1. */
  readonly share: number;
  readonly label: string;
  readonly kind: 'limit' | 'ours' | 'peer';
}

const WIDTH = 860;
const NAME_WIDTH = 220;
/** Of the longest bar. */
const BAR_WIDTH = 480;
const ROW = 26;
const BAR_HEIGHT = 16;
const TITLE_HEIGHT = 40;
const MARGIN = 16;

const STYLE = `
  .page { fill: #ffffff; }
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .title { font-weight: 600; }
  .foot { font-size: 11px; fill: #59636e; }
  .limit { fill: #9aa4af; } .ours { fill: #1a7f5a; } .peer { fill: #6e8fd6; }
  .line { stroke: #9aa4af; stroke-dasharray: 3 3; }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; }
    text { fill: #e6edf3; } .foot { fill: #9198a1; }
    .limit { fill: #656c76; } .ours { fill: #3fb488; } .peer { fill: #7f9fe8; }
    .line { stroke: #656c76; }
  }`;

/** Groups of bars, the one below the other; bars are shares of the group's limit. */
export function chart(
  groups: readonly { readonly title: string; readonly bars: readonly Bar[] }[],
  foot: string,
): string {
  const parts: string[] = [];
  const shares = groups.flatMap(({ bars }) => bars.map(({ share }) => share));
  const limitWidth = BAR_WIDTH / Math.max(1, ...shares);
  let y = MARGIN;
  for (const { title, bars } of groups) {
    parts.push(text(MARGIN, y + 20, title, 'title'));
    y += TITLE_HEIGHT;
    const top = y;
    for (const bar of bars) {
      parts.push(barOf(bar, y, limitWidth));
      y += ROW;
    }
    const x = (NAME_WIDTH + limitWidth).toFixed(1);
    parts.push(`<line class="line" x1="${x}" x2="${x}" y1="${top - 6}" y2="${y - 4}"/>`);
    y += MARGIN / 2;
  }
  parts.push(
    text(MARGIN, y + 14, `Shares of what bare Node does on the same core. ${foot}`, 'foot'),
  );
  const height = y + 14 + MARGIN;
  const size = `width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}"`;
  const title = 'Calls a second on one core, as shares of what bare Node does';
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img" aria-label="${title}">`,
    `<title>${title}</title>`,
    `<style>${STYLE}\n</style>`,
    // Its own ground: a page and the reader's system may disagree about light and dark.
    `<rect class="page" width="${WIDTH}" height="${height}" rx="6"/>`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

function barOf({ name, share, label, kind }: Bar, y: number, limitWidth: number): string {
  const width = Math.max(2, share * limitWidth).toFixed(1);
  const middle = y + BAR_HEIGHT - 3;
  const rect = `<rect class="${kind}" x="${NAME_WIDTH}" y="${y}" width="${width}" height="${BAR_HEIGHT}" rx="3"/>`;
  const labelAt = NAME_WIDTH + Number(width) + 8;
  return [text(MARGIN, middle, name), rect, text(labelAt, middle, label)].join('\n');
}

function text(x: number, y: number, content: string, kind = ''): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  const name = kind === '' ? '' : ` class="${kind}"`;
  return `<text${name} x="${x}" y="${y}">${escaped}</text>`;
}
