/**
 * The image of deploy/Dockerfile without a builder of images: its lines are done one by one, and what comes of
 * them is run as `docker run --read-only --cap-drop ALL` would. Only the base image is not its own.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, globSync, lstatSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { before, test } from 'node:test';
import { SERVE_MASTER_KEY, temporaryFolder } from '../start.ts';
import { Container, type Inside } from './container.ts';
import {
  contextFilter,
  copyInto,
  readDockerfile,
  stageOf,
  textsOf,
  variablesOf,
  wordsOf,
} from './dockerfile.ts';

const ROOT = path.join(import.meta.dirname, '..', '..');
const STAGES = readDockerfile(path.join(ROOT, 'deploy', 'Dockerfile'));
const LAST = stageOf(STAGES);
const context = { folder: ROOT, isIn: contextFilter(path.join(ROOT, '.dockerignore')) };
const [ENTRYPOINT, CMD, HEALTHCHECK] = ['ENTRYPOINT', 'CMD', 'HEALTHCHECK'].map((name) =>
  wordsOf(textsOf(LAST, name)[0] ?? ''),
) as [string[], string[], string[]];
const UID = Number(textsOf(LAST, 'USER')[0]?.split(':')[0]);

const roots: Record<string, string> = {};
let image = '';

/** A folder that a container's user can see through. */
function newRoot(): string {
  const folder = temporaryFolder();
  chmodSync(folder, 0o755);
  return folder;
}

before(async () => {
  const npm = stageOf(STAGES, 'npm');
  roots.npm = newRoot();
  copyInto(npm, roots.npm, context, roots);
  const [install = ''] = textsOf(npm, 'RUN');
  const installed = spawnSync('/bin/sh', ['-c', install], {
    cwd: path.join(roots.npm, textsOf(npm, 'WORKDIR')[0] ?? ''),
    // What `npm ci` of the project has downloaded before is not asked for again.
    env: { PATH: process.env.PATH, HOME: process.env.HOME, npm_config_prefer_offline: 'true' },
    encoding: 'utf8',
  });
  assert.equal(installed.status, 0, installed.stderr);

  const compiled = stageOf(STAGES, 'compiled');
  roots.compiled = newRoot();
  copyInto(compiled, roots.compiled, context, roots);
  const runs = textsOf(compiled, 'RUN');
  assert.ok(runs.length > 0);
  for (const run of runs) {
    await using built = new Container(
      { root: roots.compiled, volumes: { '/tmp': newRoot() }, env: {}, uid: 0, workdir: '/app' },
      ['/bin/sh', '-c', run],
    );
    assert.equal(await built.ended(), 0, built.output.stderr);
  }
  image = newRoot();
  copyInto(LAST, image, context, roots);
});

/** What `docker run` gives it, with a volume that is the user's as the image has it. */
function inside(env: Record<string, string> = {}): Inside {
  const [workdir = ''] = textsOf(LAST, 'WORKDIR');
  const data = newRoot();
  chownSync(data, UID, UID);
  chmodSync(data, 0o700);
  mkdirSync(path.join(image, 'tmp'), { recursive: true });
  return {
    root: image,
    volumes: { [textsOf(LAST, 'VOLUME')[0] ?? '']: data },
    env: { ...variablesOf(LAST), PROPUSK_MASTER_KEY: SERVE_MASTER_KEY, ...env },
    uid: UID,
    workdir,
  };
}

const served = [...ENTRYPOINT, ...CMD];

/** A program that prints what a page of the server says. */
function asking(port: number, page: string, token = ''): string[] {
  const text = `fetch('http://127.0.0.1:${port}${page}', { headers: { authorization: '${token}' } })
    .then(async (answer) => console.log(answer.status, await answer.text()))`;
  return [ENTRYPOINT[0] ?? '', '-e', text];
}

test('it serves from a root that cannot be written, as a user without rights', async () => {
  const place = inside();
  await using server = new Container(place, served);
  await server.printed(/\/metrics\n/);

  const made = await server.run([...ENTRYPOINT, 'bootstrap']);
  assert.equal(made.code, 0, made.stderr);
  const status = await server.run(asking(9090, '/admin/v1/status', made.stdout.trim()));
  assert.match(status.stdout, /^200 \{/, status.stderr);
  assert.match((await server.run(asking(8080, '/readyz'))).stdout, /^200 /);
  assert.match((await server.run(asking(8080, '/metrics'))).stdout, /^404 /);

  const files = globSync('**', { cwd: path.join(image, 'app') });
  assert.ok(files.length > 500, `${files.length} files`);
  for (const file of files) {
    const { uid, mode } = lstatSync(path.join(image, 'app', file));
    assert.ok(uid !== UID, `${file} is the program's own`);
    assert.ok((mode & 0o022) === 0 || (mode & 0o170000) === 0o120000, `${file} can be written`);
  }
  assert.equal(await server.stop('SIGTERM'), 0, server.output.stderr);

  // What it holds is on the volume.
  await using again = new Container(place, served);
  await again.printed(/\/metrics\n/);
  const after = await again.run(asking(9090, '/admin/v1/status', made.stdout.trim()));
  assert.match(after.stdout, /^200 \{/, after.stderr);
});

test('HEALTHCHECK tells a server that takes calls from none', async () => {
  const place = inside({ PROPUSK_INTERNAL_LISTEN: '0.0.0.0:9191' });
  await using none = new Container(place, ['/usr/bin/sleep', '1000']);
  await using server = new Container(place, served);
  await server.printed(/\/metrics\n/);
  const [bad, good] = [await none.run(HEALTHCHECK), await server.run(HEALTHCHECK)];
  assert.equal(bad.code, 1, bad.stderr);
  assert.equal(good.code, 0, good.stderr);
});

test('a start finds what was compiled when the image was built', async () => {
  await using server = new Container(inside({ NODE_DEBUG_NATIVE: 'COMPILE_CACHE' }), served);
  await server.printed(/\/metrics\n/);
  assert.equal(await server.stop('SIGTERM'), 0);
  const { stderr } = server.output;
  // Two threads write there more than a pipe takes at once, so some of it is lost: what was not found is
  // told by words of its own, and most of what was is there.
  const count = (text: string) => stderr.split(text).length - 1;
  assert.ok(count('reading cache from /app/') > 100, stderr.slice(0, 2000));
  assert.ok(count(' success, size=') > 0.9 * count('reading cache from'));
  assert.doesNotMatch(stderr, /no such file|mismatch|failed|rejected/);
});

test('a container without a master key says what is missing', async () => {
  const { PROPUSK_MASTER_KEY: _, ...env } = inside().env;
  await using server = new Container({ ...inside(), env }, served);
  assert.equal(await server.ended(), 2);
  assert.match(server.output.stderr, /the master key is missing/);
});
