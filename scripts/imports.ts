/**
 * Who imports whom in src and cli, and who may: the table of docs/architecture.md as data. Type imports
 * count as imports; what a rule allows by type alone must be written `import type`.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import path from 'node:path';

/** One place where a file names another. */
export interface Import {
  readonly specifier: string;
  /** Gone when the types are stripped. */
  readonly isType: boolean;
  /** Only read or started by its address (a worker, a data file), not loaded as a module. */
  readonly isAddress: boolean;
}

// Biome puts every statement on a line of its own, so a statement begins where a line does; that
// keeps comments (` * import …`, `// import …`) out. Nothing before `from` can hold a quote.
const STATEMENT =
  /^(?:import|export)\s+(type\s+(?!from\b))?(?:[\w$*{][^'"();=]*?\s*from\s*)?(['"])([^'"\n]+)\2/gm;
const DYNAMIC = /(?<![\w.$])import\(\s*([^)]*?)\s*\)/g;
const ADDRESS =
  /\bnew URL\(\s*([^,]*?),\s*import\.meta\.url\s*,?\s*\)|\bimport\.meta\.resolve\(\s*([^)]*?)\s*\)/g;
const REQUIRE = /(?<![\w.$'"`])(?:require\(|createRequire\b)/g;

/** Stands for an import whose target cannot be told from the text. */
export const UNKNOWN = '?';

/** The beginning of a string or template literal, as far as it is fixed. */
function literal(source: string): string {
  const [, text = ''] = /^['"`]([^'"`$]+)/.exec(source.trim()) ?? [];
  return text === '' ? UNKNOWN : text;
}

/** Everything that a source file names. Comments are not code. */
export function importsOf(source: string): Import[] {
  const code = source.replace(/^\s*(?:\/\/.*|\/\*[\s\S]*?\*\/)/gm, '');
  const found: Import[] = [];
  for (const [, type, , specifier = ''] of code.matchAll(STATEMENT)) {
    found.push({ specifier, isType: type !== undefined, isAddress: false });
  }
  for (const [, target = ''] of code.matchAll(DYNAMIC)) {
    found.push({ specifier: literal(target), isType: false, isAddress: false });
  }
  for (const [, url, resolved] of code.matchAll(ADDRESS)) {
    const target = literal(url ?? resolved ?? '');
    const isBare = resolved !== undefined || target.startsWith('.');
    const specifier = isBare || target === UNKNOWN ? target : `./${target}`;
    found.push({ specifier, isType: false, isAddress: true });
  }
  for (const _ of code.matchAll(REQUIRE)) {
    found.push({ specifier: UNKNOWN, isType: false, isAddress: false });
  }
  return found;
}

/**
 * What a room may import beside itself. A name is a room, a file of src, `node:x` or a package;
 * `node:` stands for all of Node's own modules.
 */
interface Rule {
  readonly all: readonly string[];
  /** By `import type` alone. */
  readonly types?: readonly string[];
  /** As files to be read, not as modules. */
  readonly addresses?: readonly string[];
}

const PROTOBUF = '@bufbuild/protobuf';

/** A file of src that is in no room is its own. */
const RULES: Readonly<Record<string, Rule>> = {
  domain: { all: ['node:crypto', 'big.js'] },
  store: { all: ['domain', 'settle.ts', 'node:', 'pg'] },
  counters: { all: ['domain', 'node:', '@redis/client'] },
  grants: { all: ['domain'], types: ['store/store.ts'] },
  venue: { all: ['domain'], types: ['store/store.ts', 'store/order-store.ts'] },
  service: {
    all: ['domain', 'gen', PROTOBUF],
    types: ['store/store.ts', 'grants', 'counters', 'venue', 'pipeline/call.ts'],
  },
  pipeline: {
    all: ['domain', 'gen', PROTOBUF, 'prom-client'],
    types: ['grants', 'counters', 'pino'],
  },
  transport: {
    all: [
      ...['domain/errors.ts', 'domain/network.ts'],
      ...['domain/path-template.ts', 'domain/request-target.ts'],
      ...['pipeline', 'gen', PROTOBUF, 'node:'],
    ],
    types: ['domain/proxies.ts'],
    // The page of documents that dev shows.
    addresses: ['swagger-ui-dist'],
  },
  rules: { all: ['domain', 'gen', PROTOBUF, 'yaml'] },
  ops: { all: ['store', 'domain', 'node:', '@peculiar/x509', 'reflect-metadata'] },
  gen: { all: [PROTOBUF] },
  'settle.ts': { all: ['node:'] },
  'setting.ts': { all: ['domain'] },
  'settings.ts': { all: ['setting.ts', 'domain'] },
  'config.ts': { all: ['setting.ts', 'settings.ts', 'domain', 'commander'] },
  'administration.ts': {
    all: ['domain', 'store', 'counters', 'grants', 'service', 'pipeline', 'gen', PROTOBUF],
  },
  'contract.ts': {
    all: [
      ...[
        'administration.ts',
        'config.ts',
        'domain',
        'store',
        'counters',
        'grants',
        'venue',
        'service',
        'pipeline',
        'rules',
      ],
      ...['ops', 'gen', PROTOBUF],
    ],
  },
  'listen.ts': {
    all: [
      ...['config.ts', 'contract.ts', 'domain', 'store', 'pipeline', 'transport', 'ops'],
      PROTOBUF,
    ],
  },
  'main.ts': {
    all: [
      ...['config.ts', 'contract.ts', 'listen.ts', 'domain', 'store', 'pipeline', 'ops'],
      ...['node:', 'pino'],
    ],
    addresses: ['../package.json'],
  },
  'database-commands.ts': { all: ['config.ts', 'domain', 'store', 'ops', 'commander'] },
  'program.ts': {
    all: [...['main.ts', 'config.ts', 'database-commands.ts', 'settle.ts', 'ops/demo.ts'], 'node:'],
  },
  // A client like any other: what the server is made of is none of its business.
  cli: { all: ['gen', PROTOBUF, 'commander', 'yaml', 'node:'], addresses: ['../package.json'] },
};

/** A file and what it names. */
interface Source {
  /** Relative to src, with forward slashes; a file of cli begins with `cli/`. */
  readonly file: string;
  readonly imports: readonly Import[];
}

/** The room of a file of src; the file itself, or the one that it tests, when it is in none. */
function roomOf(file: string): string {
  const slash = file.indexOf('/');
  return slash === -1 ? file.replace(/\.test\.ts$/, '.ts') : file.slice(0, slash);
}

/**
 * A unit test may use what its room may, generated code, any package, and the rooms whose
 * interfaces its room uses: it needs something behind them. The suites that every implementation
 * of an interface must pass are tests as well, and so is what several share (`test-NAME.ts`).
 */
function isTest(file: string): boolean {
  return /(?:\.test|\/contract-suite|\/test-[a-z-]+)\.ts$/.test(file);
}

/** Where a relative specifier leads, as files are named here; others stay as they are. */
function targetOf(file: string, specifier: string): string {
  if (!specifier.startsWith('.')) return specifier;
  const isOfSrc = roomOf(file) !== 'cli';
  const folder = path.posix.dirname(isOfSrc ? `src/${file}` : file);
  const target = path.posix.join(folder, specifier);
  if (target.startsWith('src/')) return target.slice('src/'.length);
  return target.startsWith('cli/') ? target : `../${target}`;
}

function fits(name: string, target: string): boolean {
  if (name === 'node:') return target.startsWith('node:');
  return target === name || target.startsWith(`${name}/`);
}

/** What is wrong with one import; undefined when nothing is. */
export function flawOf(file: string, found: Import): string | undefined {
  const { specifier, isType, isAddress } = found;
  if (specifier === UNKNOWN) return `${file} imports what cannot be told from its text`;
  if (!specifier.startsWith('node:') && isBuiltin(specifier)) {
    return `${file}: ${specifier} is written node:${specifier}`;
  }
  const room = roomOf(file);
  const rule = RULES[room];
  if (rule === undefined) return `${file}: no rule says whom ${room} may import`;
  const target = targetOf(file, specifier);
  if (room === roomOf(target) && specifier.startsWith('.')) return undefined;
  if (isTest(file)) {
    const behind = ['gen', ...(rule.types ?? []).map(roomOf)];
    if (!specifier.startsWith('.') || behind.includes(roomOf(target))) return undefined;
  }
  // The contract's own services are for service and main: a transport that names one of them is
  // no longer the same for all.
  const isContract = fits('gen/grpc/tradeapi', target);
  if (room === 'transport' && isContract) return `${file} names the contract's ${target}`;
  if (rule.all.some((name) => fits(name, target))) return undefined;
  if (rule.types?.some((name) => fits(name, target))) {
    return isType ? undefined : `${file} may import ${target} by "import type" alone`;
  }
  if (isAddress && rule.addresses?.some((name) => fits(name, target))) return undefined;
  return `${file} must not import ${target}`;
}

/** The first circle of imports that each file is in, as `a → b → a`. Types count, addresses do not. */
export function circles(sources: readonly Source[]): string[] {
  const next = new Map<string, string[]>();
  for (const { file, imports } of sources) {
    const targets = imports.filter((one) => !one.isAddress && one.specifier.startsWith('.'));
    next.set(
      file,
      targets.map((one) => targetOf(file, one.specifier)),
    );
  }
  const found = new Map<string, string>();
  const done = new Set<string>();
  const visit = (file: string, trail: readonly string[]): void => {
    const at = trail.indexOf(file);
    if (at !== -1) {
      const circle = trail.slice(at);
      found.set([...circle].sort().join(), [...circle, file].join(' → '));
    }
    if (at !== -1 || done.has(file)) return;
    for (const target of next.get(file) ?? []) visit(target, [...trail, file]);
    done.add(file);
  };
  for (const { file } of sources) visit(file, []);
  return [...found.values()];
}

/** Reads the TypeScript files of src and cli; generated ones have no rules of ours. */
export function readSources(root: string): (Source & { readonly text: string })[] {
  return ['src', 'cli'].flatMap((name) => {
    const folder = path.join(root, name);
    const entries = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    const files = entries.map((file) => file.replaceAll(path.sep, '/')).sort();
    return files
      .filter((file) => file.endsWith('.ts') && roomOf(file) !== 'gen')
      .map((file) => {
        const text = readFileSync(path.join(folder, file), 'utf8');
        return { file: name === 'cli' ? `cli/${file}` : file, text, imports: importsOf(text) };
      });
  });
}
