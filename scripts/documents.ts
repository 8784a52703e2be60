/** Compares the documents with what they describe. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { codeName, httpStatusOf, isReason, rowOf } from '../src/domain/errors.ts';
import { SETTINGS } from '../src/settings.ts';

/** What the documents have wrong, one line each. */
export function documentFlaws(root: string): string[] {
  // The formatter pads the cells of tables.
  const read = (file: string) => readFileSync(path.join(root, file), 'utf8').replace(/ +\|/g, ' |');
  const documents = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'];
  documents.push('bench/README.md', 'examples/README.md', 'deploy/README.md');
  const folders = ['docs', 'docs/decisions'];
  for (const folder of folders) {
    const names = readdirSync(path.join(root, folder)).filter((name) => name.endsWith('.md'));
    documents.push(...names.map((name) => `${folder}/${name}`));
  }
  return [
    ...documents.flatMap((file) => deadLinks(root, file, read(file))),
    ...numberedTwice(documents),
    ...flagFlaws(read('README.md')),
    ...errorFlaws(read('README.md'), read('src/domain/errors.ts')),
    ...packageFlaws(
      read('docs/decisions/0005-dependencies.md'),
      ['package.json', 'bench/peers/package.json'].map((file) => JSON.parse(read(file))),
    ),
  ];
}

/** Relative links that lead nowhere. */
function deadLinks(root: string, file: string, text: string): string[] {
  const targets = [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, to = '']) => to);
  return targets
    .filter((to) => !/^[a-z]+:/.test(to))
    .filter((to) => !existsSync(path.join(root, path.dirname(file), to)))
    .map((to) => `${file}: the link to ${to} leads nowhere`);
}

function numberedTwice(documents: readonly string[]): string[] {
  const numbers = documents.map((file) => /decisions\/(\d{4})-/.exec(file)?.[1]);
  return documents.filter((_, i) => numbers[i] !== undefined && numbers.indexOf(numbers[i]) < i);
}

/** Every flag has a row with its default. */
function flagFlaws(readme: string): string[] {
  const rows = readme.split('\n').filter((line) => line.startsWith('| `--'));
  const flaws: string[] = [];
  for (const setting of Object.values(SETTINGS) as { flags: string; fallback?: string }[]) {
    const [name = ''] = setting.flags.split(' ');
    const row = rows.find((line) => line.split('|')[1]?.includes(`\`${name}\``));
    const shown = row?.split('|')[2]?.trim().replaceAll('`', '');
    if (row === undefined) flaws.push(`README.md: ${name} is missing`);
    else if (setting.fallback !== undefined && shown !== setting.fallback) {
      flaws.push(`README.md: ${name} is ${setting.fallback} by default, not ${shown}`);
    }
  }
  return flaws;
}

/** Every reason has a row with its code and status, and its sentence is told. */
function errorFlaws(readme: string, source: string): string[] {
  const names = [...source.matchAll(/^ {2}([A-Z_]+): \{/gm)].map(([, name = '']) => name);
  const reasons = names.filter(isReason);
  const flaws = reasons.length === 0 ? ['src/domain/errors.ts: no reasons were found'] : [];
  for (const reason of reasons) {
    const { code, sentence } = rowOf(reason);
    const row = `| \`${reason}\` | ${codeName(code)} | ${httpStatusOf(reason)} |`;
    if (!readme.includes(`${row} `)) flaws.push(`README.md: no row begins with ${row}`);
    if (sentence !== undefined && !readme.includes(`| ${sentence} |`)) {
      flaws.push(`README.md: the sentence of ${reason} is missing: ${sentence}`);
    }
  }
  for (const [, name = ''] of readme.matchAll(/^\| `([A-Z_]+)` \|/gm)) {
    if (!isReason(name)) flaws.push(`README.md: there is no reason ${name}`);
  }
  return flaws;
}

/** Every dependency has a row with its version, and no row is left over. */
function packageFlaws(
  text: string,
  manifests: readonly Record<string, Record<string, string>>[],
): string[] {
  const kinds = ['dependencies', 'optionalDependencies', 'devDependencies'];
  const wanted = manifests.flatMap((manifest) =>
    kinds.flatMap((kind) =>
      Object.entries(manifest[kind] ?? {}).map(([name, version]) => `| ${name} | ${version} |`),
    ),
  );
  const rows = [...text.matchAll(/^\| [@\w/.-]+ \| \d[\d.]* \|/gm)].map(([row]) => row);
  return [
    ...wanted.filter((row) => !rows.includes(row)).map((row) => `0005-dependencies.md: no ${row}`),
    ...rows.filter((row) => !wanted.includes(row)).map((row) => `0005-dependencies.md: old ${row}`),
  ];
}
