/** What deploy/ has for one node: linted by other people's programs, and held to what the program says. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { SETTINGS } from '../../src/settings.ts';
import { temporaryFolder } from '../start.ts';
import { readDockerfile, stageOf, textsOf, variablesOf } from './dockerfile.ts';
import { runTool } from './tools.ts';

const ROOT = path.join(import.meta.dirname, '..', '..');
const DEPLOY = path.join(ROOT, 'deploy');
const DOCKERFILE = path.join(DEPLOY, 'Dockerfile');
const UNIT = readFileSync(path.join(DEPLOY, 'propusk.service'), 'utf8');

/** What `systemd-analyze security` may give at most, from 0 (all shut) to 10, times ten. */
const EXPOSURE_MAX = 15;

/** What a directive of the unit says. */
function directive(name: string): string {
  const [, value] = new RegExp(`^${name}=(.*)$`, 'm').exec(UNIT) ?? [];
  if (value === undefined) throw new Error(`the unit has no ${name}`);
  return value;
}

/** A unit of that text, where systemd finds it. */
function written(text: string): string {
  const file = path.join(temporaryFolder(), 'propusk.service');
  writeFileSync(file, text);
  return file;
}

/** A folder of the project's form: a unit is only good where its program is. */
function installed(): string {
  const folder = path.join(temporaryFolder(), 'propusk');
  const bin = path.join(folder, 'node_modules', '.bin');
  mkdirSync(bin, { recursive: true });
  symlinkSync(process.execPath, path.join(bin, 'node'));
  chmodSync(path.dirname(folder), 0o755);
  return folder;
}

test('hadolint finds nothing in the Dockerfile', async () => {
  const { code, stdout, stderr } = await runTool('hadolint', [
    '--failure-threshold=style',
    DOCKERFILE,
  ]);
  assert.equal(code, 0, stdout + stderr);

  const bad = path.join(temporaryFolder(), 'Dockerfile');
  writeFileSync(bad, readFileSync(DOCKERFILE, 'utf8').replace(/13[.\d]*-slim/, 'latest'));
  assert.notEqual((await runTool('hadolint', [bad])).code, 0);
});

test('the image has the versions, user, ports and signal that it should', () => {
  const stages = readDockerfile(DOCKERFILE);
  for (const { from } of stages) {
    const isStage = stages.some(({ name }) => name === from);
    assert.ok(isStage || /^[a-z]+:\d+\.\d+(\.\d+)?-\w+/.test(from), `${from} is no version`);
  }
  const last = stageOf(stages);
  assert.match(textsOf(last, 'USER')[0] ?? '', /^[1-9]\d+:[1-9]\d+$/);
  assert.deepEqual(textsOf(last, 'STOPSIGNAL'), ['SIGTERM']);
  const { PROPUSK_LISTEN, PROPUSK_INTERNAL_LISTEN, PROPUSK_DATABASE } = variablesOf(last);
  assert.equal(SETTINGS.listen.read(PROPUSK_LISTEN ?? '').port, Number(textsOf(last, 'EXPOSE')[0]));
  assert.equal(PROPUSK_INTERNAL_LISTEN, SETTINGS.internalListen.fallback);
  assert.ok(PROPUSK_DATABASE?.startsWith(`sqlite:${textsOf(last, 'VOLUME')[0]}/`));
});

test('systemd understands the unit', async () => {
  const folder = installed();
  const verify = (text: string) => runTool('systemd-analyze', ['verify', written(text)]);
  const { code, stdout, stderr } = await verify(UNIT.replaceAll('/opt/propusk', folder));
  assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: '', stderr: '' });

  const typo = await verify(
    UNIT.replaceAll('/opt/propusk', folder).replace('Restart=', 'Restrat='),
  );
  assert.match(typo.stderr, /Unknown key .*Restrat/);
});

test('systemd finds the unit shut', async () => {
  const security = (text: string) =>
    runTool('systemd-analyze', [
      ...['security', '--offline=true', '--no-pager', `--threshold=${EXPOSURE_MAX}`],
      written(text),
    ]);
  const { code, stdout, stderr } = await security(UNIT);
  assert.equal(code, 0, stdout + stderr);
  assert.notEqual((await security(UNIT.replace(/^SystemCallFilter=.*\n/gm, ''))).code, 0);
});

test('the unit lets a server end its calls, and gives it its connections', () => {
  const drainMs = Number(SETTINGS.drainMsMax.fallback) + Number(SETTINGS.drainNoticeMs.fallback);
  assert.ok(Number(directive('TimeoutStopSec')) * 1000 > drainMs + 5000);
  assert.ok(Number(directive('LimitNOFILE')) > 2 * Number(SETTINGS.connectionsMax.fallback));
  assert.match(directive('Environment'), /^PROPUSK_DATABASE=sqlite:\/var\/lib\/propusk\//);
  assert.equal(directive('StateDirectory'), 'propusk');
});

test('a server makes no system call that the unit refuses', async () => {
  const trace = path.join(temporaryFolder(), 'trace');
  // The filter as systemd reads it: sets by their names, `~` for those that are taken away.
  const names = async (sets: string[]): Promise<Set<string>> => {
    const found = await Promise.all(
      sets.map(async (set) => {
        const { stdout } = await runTool('systemd-analyze', ['syscall-filter', '--no-pager', set]);
        const lines = stdout
          .split('\n')
          .slice(1)
          .map((line) => line.trim());
        const inner = await names(lines.filter((line) => line.startsWith('@')));
        return [...lines.filter((line) => /^[a-z]\w*$/.test(line)), ...inner];
      }),
    );
    return new Set(found.flat());
  };
  const filters = [...UNIT.matchAll(/^SystemCallFilter=(.*)$/gm)].map(([, text = '']) => text);
  const sets = (text: string) => text.replace('~', '').split(' ');
  const allowed = await names(filters.filter((text) => !text.startsWith('~')).flatMap(sets));
  const refused = await names(filters.filter((text) => text.startsWith('~')).flatMap(sets));
  assert.ok(allowed.size > 200 && refused.size > 20);

  const served = [process.execPath, path.join(import.meta.dirname, 'deploy-serve.ts')];
  const { code, stderr } = await runTool('strace', ['-f', '-qq', '-o', trace, ...served]);
  assert.equal(code, 0, stderr);
  const calls = readFileSync(trace, 'utf8').matchAll(
    /^\d+ +(?:<\.\.\. )?([a-z]\w*)(?:\(| resumed)/gm,
  );
  const made = new Set([...calls].map(([, name = '']) => name));
  assert.ok(made.has('fsync') || made.has('fdatasync'), [...made].join(' '));
  assert.ok(made.has('listen') && made.has('accept4'), [...made].join(' '));
  // SQLite gives its files to the database's owner, as root alone; the unit's user does not get there.
  if (process.getuid?.() === 0) made.delete('fchown');
  const wrong = [...made].filter((name) => !allowed.has(name) || refused.has(name));
  assert.deepEqual(wrong, []);
});
