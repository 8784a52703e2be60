import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import { addPlaceOptions, type Config, ConfigError, readCommandLine, readPlace } from './config.ts';
import type { Mode, Setting } from './setting.ts';
import { SETTINGS } from './settings.ts';

type Env = Record<string, string>;

const SERVE_ENV: Env = {
  PROPUSK_DATABASE: 'sqlite::memory:',
  PROPUSK_MASTER_KEY: '00'.repeat(32),
};

function read(args: readonly string[], env: Env = {}): Config {
  const request = readCommandLine(args, env, '1.2.3');
  assert.equal(request.kind, 'run');
  return request.kind === 'run' ? request.config : assert.fail();
}

function linesOf(args: readonly string[], env: Env = {}): readonly string[] {
  try {
    readCommandLine(args, env, '1.2.3');
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.lines;
  }
  return [];
}

interface Row {
  readonly name: keyof typeof SETTINGS;
  readonly row: Setting<unknown>;
  readonly flag: string;
  readonly variable: string;
  readonly mode: Mode;
}

const ROWS: Row[] = Object.entries(SETTINGS).map(([name, row]: [string, Setting<unknown>]) => {
  const [flag = ''] = row.flags.split(' ');
  const variable = `PROPUSK_${flag.slice(2).replaceAll('-', '_').toUpperCase()}`;
  return { name: name as Row['name'], row, flag, variable, mode: row.mode ?? 'dev' };
});

const COUNTS = ['0', '-1', '1.5', '1e3', 'many', '2147483648', ' 1', '0x10', '٣'];
const TRUTHS = ['maybe', '2', ' true'];

/** A good text, what it is read as, and texts that are refused. */
type Texts = readonly [good: string, read: unknown, bad: readonly string[]];

const ADDRESS: Texts = [
  '[::1]:0',
  { host: '::1', port: 0 },
  ['8080', ':8080', 'host', 'host:', 'host:65536', 'host:x', '::1:80', '[::1]', 'a:1:2', 'a:-1'],
];

const FROM_ZERO: Texts = ['0', 0, COUNTS.slice(1)];

/** For each setting that is no count, or may be 0. */
const TEXTS: Readonly<Record<string, Texts>> = {
  listen: ADDRESS,
  internalListen: ADDRESS,
  data: ['some/folder', 'some/folder', ['']],
  database: [
    'sqlite:a b.db',
    'sqlite:a b.db',
    ['', 'sqlite:', 'a.db', 'postgres://x', 'postgres://u:1/2@h', 'SQLITE:x'],
  ],
  counters: [
    'rediss://u:p%40ss@[::1]:6380/2',
    'rediss://u:p%40ss@[::1]:6380/2',
    [
      ...['', '127.0.0.1:6379', 'http://host', 'unix:///a.sock', 'redis://', 'redis://u:p@:6379'],
      ...['redis://h:0', 'redis://h/x', 'redis://h/1/2', 'redis://h?db=1', 'redis://h#1'],
      ...['redis://u:%zz@h', 'redis://u:50%@h'],
    ],
  ],
  sessionTtlSeconds: [
    '1h30m',
    5400,
    ['', '15', '4s', '4999ms', '5500ms', '366d', 'x', '-5s', '1.5m', '15 m', '0s'],
  ],
  auditRetentionMs: ['30d', 2_592_000_000, ['', '30', '59m', 'x', '0s']],
  orders: ['paper', 'paper', ['', 'Paper', 'true', 'live']],
  secret: ['any words', 'any words', ['']],
  faults: ['Auth=500', ['Auth=500'], ['']],
  limits: ['Auth=500', ['Auth=500'], ['']],
  shedFirst: ['Auth', ['Auth'], ['']],
  masterKeyFile: ['master.key', 'master.key', ['']],
  mics: ['mics.csv', 'mics.csv', ['']],
  authzRules: ['rules.yaml', 'rules.yaml', ['']],
  tls: ['yes', true, TRUTHS],
  tlsName: ['example.org', 'example.org', ['']],
  tlsCert: ['c.pem', 'c.pem', ['']],
  tlsKey: ['k.pem', 'k.pem', ['']],
  reflection: ['off', false, ['', ...TRUTHS]],
  corsOrigins: [
    'https://example.org',
    ['https://example.org'],
    ['', '*', 'null', 'example.org', 'https://example.org/', 'https://a.b/c', 'HTTPS://a.b'],
  ],
  trustedProxies: [
    '10.0.0.0/8',
    [{ width: 32, prefix: 10n, restBits: 24n }],
    ['', 'proxy', '10.0.0.1/8', '10.0.0.0/33', '10.0.0.1:80', '[::1]', '*', '::1%lo'],
  ],
  deadlineMsMax: ['Auth=500', ['Auth=500'], ['']],
  serviceCallsMax: FROM_ZERO,
  checkCacheMsMax: FROM_ZERO,
  logLevel: ['warn', 'warn', ['', 'loud', 'INFO', 'trace']],
};

/** Limits are counts, where nothing else is said. */
function textsOf({ name, row }: Row): Texts {
  const isCount = row.group === 'Limits:' && row.fallback !== undefined;
  const texts = TEXTS[name] ?? (isCount ? (['20000', 20_000, COUNTS] as const) : undefined);
  assert.ok(texts, `${name} has no texts to be tested with`);
  return texts;
}

/** What this row needs beside it, so that it is judged alone. */
function around({ name, mode }: Row): { mode: Mode; args: string[]; env: Env } {
  const pair: Record<string, string[]> = {
    tlsCert: ['--tls-key', 'k'],
    tlsKey: ['--tls-cert', 'c'],
  };
  const args = pair[name] ?? [];
  const { PROPUSK_DATABASE = '', PROPUSK_MASTER_KEY = '' } = SERVE_ENV;
  if (mode === 'dev') return { mode, args, env: {} };
  const env =
    name === 'masterKeyFile' ? { PROPUSK_DATABASE } : { PROPUSK_DATABASE, PROPUSK_MASTER_KEY };
  return { mode, args, env };
}

/** A flag and its text in one word, so that a text may begin with a dash. */
function given(row: Row, text: string): string {
  return row.row.flags.includes('<') ? `${row.flag}=${text}` : row.flag;
}

for (const row of ROWS) {
  const [good, expected, bad] = textsOf(row);
  const { mode, args, env } = around(row);

  test(`${row.flag}: a good value, by flag and by environment`, () => {
    assert.deepEqual(read([mode, ...args, given(row, good)], env)[row.name], expected);
    assert.deepEqual(read([mode, ...args], { ...env, [row.variable]: good })[row.name], expected);
  });

  test(`${row.flag}: bad values are told in one line that names where they came from`, () => {
    for (const text of bad) {
      if (row.row.flags.includes('<')) {
        const lines = linesOf([mode, ...args, given(row, text)], env);
        assert.equal(lines.length, 1, `${text}: ${lines}`);
        assert.ok(lines[0]?.startsWith(`${row.flag}: `), String(lines));
        assert.ok(!lines[0]?.includes('\n'));
      }
      const lines = linesOf([mode, ...args], { ...env, [row.variable]: text });
      assert.equal(lines.length, 1, `${text}: ${lines}`);
      assert.ok(lines[0]?.startsWith(`${row.variable}: `), String(lines));
    }
  });

  test(`${row.flag}: the flag beats the environment`, () => {
    const other = { ...env, [row.variable]: bad[0] ?? '' };
    assert.deepEqual(read([mode, ...args, given(row, good)], other)[row.name], expected);
  });
}

test('what is wrong with --counters is told without its password', () => {
  for (const rest of ['@', '@h:0', '@h/x', '@h?a', '@h:x', '%zz@h']) {
    const [line = ''] = linesOf(['dev', `--counters=redis://user:hunter2${rest}`]);
    assert.match(line, /^--counters: /);
    assert.doesNotMatch(line, /hunter2/);
  }
});

test('a copy needs two places, and tells what is wrong with one without its password', () => {
  const place = (args: readonly string[], env: Record<string, string> = {}) => {
    const command = addPlaceOptions(new Command(), 'two').exitOverride();
    command.parse(args, { from: 'user' });
    return readPlace(command.opts(), command, env);
  };
  const told = (work: () => unknown): readonly string[] => {
    try {
      work();
    } catch (error) {
      assert.ok(error instanceof ConfigError);
      return error.lines;
    }
    return assert.fail('it was taken');
  };
  const from = 'sqlite:a.db';
  for (const to of ['postgres://u:p%23@h:5433/db?sslmode=require', 'postgresql://h/db']) {
    const { database, ...read } = place([`--from=${from}`], { PROPUSK_TO: to });
    assert.deepEqual([read.from, read.to, database], [from, to, undefined]);
  }
  // What other commands take is none of its business.
  assert.equal(
    place([`--from=${from}`, '--to=postgres://h/db'], { PROPUSK_DATABASE: '' }).from,
    from,
  );
  assert.deepEqual(
    told(() => place([])).map((line) => line.slice(0, 20)),
    ['--from is missing: t', '--to is missing: the'],
  );
  for (const rest of [
    'redis://u:hunter2@h',
    'postgres://u:hunter2@h:x',
    'postgres://u:hunter2#@h',
  ]) {
    const [line = ''] = told(() => place([`--from=${from}`, `--to=${rest}`]));
    assert.match(line, /^--to: /);
    assert.doesNotMatch(line, /hunter2/);
  }
  assert.match(
    told(() => place(['--from=postgres://h/db', '--to=sqlite:a.db']))[0] ?? '',
    /^--from: /,
  );
});

test('every bad setting is told, never one alone', () => {
  const bad = ROWS.filter(({ row, mode }) => mode === 'dev' && row.flags.includes('<'));
  const args = bad.map((row) => given(row, textsOf(row)[2][0] ?? ''));
  const lines = linesOf(['dev', ...args], { PROPUSK_TLS: 'maybe' });
  assert.deepEqual(
    lines.map((line) => line.split(':')[0]).sort(),
    [...bad.map(({ flag }) => flag), 'PROPUSK_TLS'].sort(),
  );
});

test('without anything there are the documented defaults', () => {
  const config = read(['dev']);
  assert.equal(config.mode, 'dev');
  const served = read(['serve'], SERVE_ENV);
  for (const { name, row, mode } of ROWS) {
    const fallback = row.fallback === undefined ? undefined : row.read(row.fallback);
    const found = (mode === 'serve' ? served : config)[name];
    assert.deepEqual(found, row.repeatable ? [] : fallback, name);
  }
  assert.equal(config.sessionTtlSeconds, 903);
  assert.deepEqual(config.listen, { host: '127.0.0.1', port: 8080 });
  assert.ok(Object.isFrozen(config));
});

test('a flag may be given again where it is repeatable; its variable takes commas', () => {
  const origins = ['https://a.example', 'https://b.example'];
  const args = origins.flatMap((each) => ['--cors-origin', each]);
  assert.deepEqual(read(['dev', ...args]).corsOrigins, origins);
  const env = { PROPUSK_CORS_ORIGIN: origins.join(',') };
  assert.deepEqual(read(['dev'], env).corsOrigins, origins);
});

test('serve says all that it needs', () => {
  const lines = linesOf(['serve']);
  assert.equal(lines.length, 2);
  assert.match(lines[0] ?? '', /--database is missing/);
  assert.match(lines[1] ?? '', /PROPUSK_MASTER_KEY or --master-key-file/);
  assert.equal(read(['serve'], SERVE_ENV).mode, 'serve');
  const both = linesOf(['serve', '--master-key-file=k'], SERVE_ENV);
  assert.equal(both.length, 1);
  assert.match(both[0] ?? '', /both set/);
});

test('what is for testing cannot be had in serve, nor the reverse', () => {
  for (const { row, flag, variable, name } of ROWS) {
    if (row.mode === undefined) continue;
    const other = row.mode === 'dev' ? 'serve' : 'dev';
    const lines = linesOf([other, `${flag}=x`], SERVE_ENV);
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? '', new RegExp(`unknown option '${flag}=x'`));
    // In the environment it may be there for another command; it has no effect.
    const config = read([other], { ...SERVE_ENV, [variable]: 'x' });
    assert.deepEqual(config[name], row.repeatable ? [] : undefined);
  }
});

test('settings that do not fit each other', () => {
  for (const flag of ['--tls-cert=c', '--tls-key=k']) {
    assert.match(linesOf(['dev', flag]).join(), /--tls-cert and --tls-key go together/);
  }
  const lines = linesOf(['dev', '--header-ms-max=2000', '--request-ms-max=1000']);
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /--header-ms-max/);
});

test('what is no command or flag is told in one line, with where to look', () => {
  for (const args of [
    ['nonsense'],
    ['serv'],
    ['dev', 'more'],
    ['dev', '--nonsense'],
    ['dev', '--liste', 'x'],
    ['dev', '--listen'],
    ['--nonsense'],
    ['dev', '-x'],
  ]) {
    const lines = linesOf(args);
    assert.equal(lines.length, 1, args.join(' '));
    assert.match(lines[0] ?? '', /; see propusk --help$/);
    assert.ok(!lines[0]?.includes('\n'), String(lines));
  }
});
