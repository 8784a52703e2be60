/** The rules of the house that the shape of the tree can tell: see docs/architecture.md. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import {
  circles,
  flawOf,
  type Import,
  importsOf,
  readSources,
  UNKNOWN,
} from '../scripts/imports.ts';

const ROOT = path.join(import.meta.dirname, '..');
const LINES_MAX = 300;
const NAMELESS = /^(utils?|helpers?|commons?)$/i;

const sources = readSources(ROOT);

/** All files and folders under some of the project's own folders. */
function namesUnder(...folders: string[]): string[] {
  return folders.flatMap((folder) =>
    readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) =>
      path.join(folder, name),
    ),
  );
}

describe('the source tree', () => {
  test('every room imports only whom it may', () => {
    const flaws = sources.flatMap(({ file, imports }) =>
      imports.map((found) => flawOf(file, found)).filter((flaw) => flaw !== undefined),
    );
    assert.deepEqual(flaws, []);
  });

  test('every room is there to be read', () => {
    const rooms = new Set(sources.map(({ file }) => file.split('/').slice(0, -1)[0]));
    for (const room of [
      'domain',
      'store',
      'grants',
      'service',
      'pipeline',
      'transport',
      'ops',
      'cli',
    ]) {
      assert.ok(rooms.has(room), `${room} was not found`);
    }
    for (const { file, text, imports } of sources) {
      const ends = text.match(/^(?:import|export|\}).* from '[^']+';$/gm)?.length ?? 0;
      assert.ok(imports.length >= ends, `${file}: ${imports.length} of ${ends} imports were found`);
    }
  });

  test('no imports go in a circle', () => {
    assert.deepEqual(circles(sources), []);
  });

  test('no barrels', () => {
    const reExports = sources.filter(({ text }) => /^export\s+(?:type\s+)?\*/m.test(text));
    assert.deepEqual(
      reExports.map(({ file }) => file),
      [],
    );
    const barrels = namesUnder('src', 'cli', 'test', 'scripts').filter((name) =>
      /^index\./.test(path.basename(name)),
    );
    assert.deepEqual(barrels, []);
  });

  test('nothing is named utils, helpers or common', () => {
    const nameless = namesUnder('src', 'cli', 'test', 'scripts').filter((name) =>
      path
        .basename(name)
        .split(/[-.]/)
        .some((word) => NAMELESS.test(word)),
    );
    assert.deepEqual(nameless, []);
  });

  test(`no file of the program has more than ${LINES_MAX} lines`, () => {
    const long = sources
      .filter(({ file }) => !file.endsWith('.test.ts'))
      .map(({ file, text }) => ({ file, lines: text.trimEnd().split('\n').length }))
      .filter(({ lines }) => lines > LINES_MAX);
    assert.deepEqual(long, []);
  });
});

describe('the reader of imports', () => {
  /** What is found in one piece of source: the specifier, and how it is named. */
  const read = (source: string) =>
    importsOf(source).map(
      ({ specifier, isType, isAddress }: Import) =>
        `${isType ? 'type ' : ''}${isAddress ? 'address ' : ''}${specifier}`,
    );

  test('finds every form', () => {
    const forms: [string, string[]][] = [
      ["import a from './a.ts';", ['./a.ts']],
      ["import * as a from './a.ts';", ['./a.ts']],
      ["import './a.ts';", ['./a.ts']],
      ['import a from "./a.ts";', ['./a.ts']],
      ["import a, { b, type C as D } from './a.ts';", ['./a.ts']],
      ["import {\n  a,\n  b,\n} from './a.ts';\nimport c from 'c';", ['./a.ts', 'c']],
      ["import type { A } from './a.ts';", ['type ./a.ts']],
      ["import type A from './a.ts';", ['type ./a.ts']],
      ["import type * as A from './a.ts';", ['type ./a.ts']],
      ["import type {\n  A,\n} from './a.ts';", ['type ./a.ts']],
      ["import type from './a.ts';", ['./a.ts']],
      ["import { type A } from './a.ts';", ['./a.ts']],
      ["import json from './a.json' with { type: 'json' };", ['./a.json']],
      ["import $a from '$a';", ['$a']],
      ["export { a } from './a.ts';", ['./a.ts']],
      ["export * from './a.ts';", ['./a.ts']],
      ["export * as a from './a.ts';", ['./a.ts']],
      ["export type { A } from './a.ts';", ['type ./a.ts']],
      ["const a = await import('./a.ts');", ['./a.ts']],
      ["const a = import(\n  './a.ts'\n);", ['./a.ts']],
      ["let a: import('./a.ts').A;", ['./a.ts']],
      ['await import(`./a/$' + '{name}.ts`);', ['./a/']],
      ['await import(name);', [UNKNOWN]],
      ["require('a');", [UNKNOWN]],
      ["const r = createRequire(import.meta.url);\nr('a');", [UNKNOWN]],
      ["new URL('./a.ts', import.meta.url)", ['address ./a.ts']],
      ["new URL(\n  'gen/a.binpb',\n  import.meta.url,\n)", ['address ./gen/a.binpb']],
      ['new URL(file, import.meta.url)', [`address ${UNKNOWN}`]],
      ["import.meta.resolve('a/b.css')", ['address a/b.css']],
      ['import.meta.resolve(`a/$' + '{b}`)', ['address a/']],
    ];
    for (const [source, expected] of forms) assert.deepEqual(read(source), expected, source);
  });

  test('takes nothing else for an import', () => {
    const others = [
      "// import a from './a.ts';",
      "/**\n * import a from './a.ts';\nimport b from './b.ts';\n */",
      "export const from = 'a';",
      "export function a(from = 'a') {}",
      "export const a = { from: 'a' };",
      "export interface A {\n  from: 'a';\n}",
      "const a = new URL('http://a');",
      "important('a');",
      "a.import('b');",
      "a.require('b');",
    ];
    for (const source of others) assert.deepEqual(read(source), [], source);
  });

  test('keeps to the rules', () => {
    const flaw = (file: string, source: string) => {
      const [found] = importsOf(source);
      assert.ok(found !== undefined, source);
      return flawOf(file, found);
    };
    const allowed: [string, string][] = [
      ['domain/a.ts', "import a from './b.ts';"],
      ['domain/a.ts', "import a from 'node:crypto';"],
      ['store/a.ts', "import a from 'node:fs';"],
      ['service/a.ts', "import type { A } from '../grants/b.ts';"],
      ['service/a.ts', "import { create } from '@bufbuild/protobuf/wkt';"],
      ['service/a.test.ts', "import fc from 'fast-check';"],
      ['grants/a.test.ts', "import { openSqlite } from '../store/sqlite/sqlite.ts';"],
      ['config.test.ts', "import { readCommandLine } from './config.ts';"],
      ['transport/rest/a.ts', "import a from '../../pipeline/b.ts';"],
      ['main.ts', "new URL('../package.json', import.meta.url)"],
      ['cli/a.ts', "import a from './b.ts';"],
      ['cli/a/b.ts', "import a from '../../src/gen/propusk/admin/v1/a_pb.js';"],
    ];
    for (const [file, source] of allowed) assert.equal(flaw(file, source), undefined, source);
    const refused: [string, string][] = [
      ['domain/a.ts', "import a from 'node:fs';"],
      ['domain/a.ts', "import a from 'crypto';"],
      ['domain/a.ts', "import a from '../store/store.ts';"],
      ['domain/a.test.ts', "import a from '../store/store.ts';"],
      ['grants/a.ts', "import { openSqlite } from '../store/sqlite/sqlite.ts';"],
      ['grants/a.test.ts', "import a from '../service/auth.ts';"],
      ['service/a.ts', "import { A } from '../grants/b.ts';"],
      ['service/a.ts', "import type { A } from '../store/sqlite/sqlite.ts';"],
      ['service/a.ts', "import a from '@bufbuild/protobufjs';"],
      ['transport/a.ts', "import type { A } from '../gen/grpc/tradeapi/v1/auth/a_pb.js';"],
      ['transport/a.ts', "import a from '../domainless/b.ts';"],
      ['cellar/a.ts', "import a from './b.ts';"],
      ['main.ts', "import a from '../test/start.ts';"],
      ['main.ts', "import a from '../package.json' with { type: 'json' };"],
      ['transport/a.ts', "import a from 'swagger-ui-dist';"],
      ['main.ts', 'await import(name);'],
      ['cli/a.ts', "import a from '../src/domain/b.ts';"],
      ['cli/a.ts', "import type { A } from '../src/store/store.ts';"],
      ['cli/a.ts', "import a from '../test/start.ts';"],
      ['cli/a.test.ts', "import a from '../src/domain/b.ts';"],
      ['domain/a.ts', "import a from '../../cli/b.ts';"],
      ['program.ts', "import a from '../cli/b.ts';"],
    ];
    for (const [file, source] of refused) assert.notEqual(flaw(file, source), undefined, source);
  });

  test('sees a circle, by types too, and not one of addresses', () => {
    const source = (file: string, text: string) => ({ file, imports: importsOf(text) });
    const a = source('a/a.ts', "import './b.ts';");
    const c = source('c/c.ts', "import type { A } from '../a/a.ts';");
    assert.deepEqual(circles([a, source('a/b.ts', "import '../c/c.ts';"), c]), [
      'a/a.ts → a/b.ts → c/c.ts → a/a.ts',
    ]);
    const worker = source('a/b.ts', "new Worker(new URL('../c/c.ts', import.meta.url));");
    assert.deepEqual(circles([a, worker, c]), []);
  });
});
