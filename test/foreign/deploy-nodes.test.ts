/** What deploy/ has for several nodes: read by other people's programs, and held to what the program says. */
import assert from 'node:assert/strict';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { before, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { AuthService } from '../../src/gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { SETTINGS } from '../../src/settings.ts';
import { Four } from '../clients/four.ts';
import { startDev, startServeApart, temporaryFolder } from '../start.ts';
import { start, stop } from './proxies.ts';
import { runTool, tool } from './tools.ts';
import { freePort } from './valkey.ts';

const DEPLOY = path.join(import.meta.dirname, '..', '..', 'deploy');
const MANIFESTS = globSync(path.join(DEPLOY, 'kubernetes', '*.yaml')).sort();
/** How long a node may take to stop, in seconds. */
const DRAIN_SECONDS =
  (Number(SETTINGS.drainMsMax.fallback) + Number(SETTINGS.drainNoticeMs.fallback)) / 1000;

/** As YAML has it; the programs that lint it know its form. */
// biome-ignore lint/suspicious/noExplicitAny: the forms are those of Kubernetes and Compose
type Read = any;

/** The variables that the program reads. */
const VARIABLES = new Set([
  'PROPUSK_MASTER_KEY',
  ...Object.values(SETTINGS).map(
    ({ flags }) =>
      `PROPUSK_${flags.split(' ')[0]?.slice(2).replaceAll('-', '_').toUpperCase() ?? ''}`,
  ),
]);

let manifests: readonly Read[] = [];
let compose: Read;
let composeRead: Awaited<ReturnType<typeof runTool>>;

before(async () => {
  manifests = MANIFESTS.flatMap((file) =>
    parseAllDocuments(readFileSync(file, 'utf8')).map((document) => document.toJS()),
  );
  const file = path.join(DEPLOY, 'compose.yaml');
  composeRead = await runTool('compose-spec', ['-no-interpolation', '-format', 'json', file]);
  compose = JSON.parse(composeRead.stdout || '{}');
});

/** The one manifest of that kind. */
function manifest(kind: string, name = 'propusk'): Read {
  const found = manifests.find((each) => each.kind === kind && each.metadata.name === name);
  assert.ok(found, `no ${kind} ${name}`);
  return found;
}

test('the manifests are what Kubernetes knows, and nothing besides', async () => {
  const validate = (file: string) => runTool('kubernetes-validate', ['--strict', file]);
  assert.ok(MANIFESTS.length > 1);
  for (const file of MANIFESTS) {
    const { code, stdout, stderr } = await validate(file);
    assert.equal(code, 0, stdout + stderr);
  }
  const bad = path.join(temporaryFolder(), 'bad.yaml');
  const [, good = ''] = MANIFESTS;
  writeFileSync(bad, readFileSync(good, 'utf8').replace('readinessProbe:', 'readynessProbe:'));
  assert.notEqual((await validate(bad)).code, 0);
});

test('services, budget and policy mean the nodes, by ports that they have', () => {
  const { template } = manifest('Deployment').spec;
  const { labels } = template.metadata;
  const [node] = template.spec.containers;
  const ports = new Set(node.ports.map((port: Read) => port.name));
  const internal = manifest('Service', 'propusk-internal');
  for (const service of [manifest('Service'), internal]) {
    assert.deepEqual(service.spec.selector, labels);
    for (const { targetPort } of service.spec.ports) assert.ok(ports.has(targetPort), targetPort);
  }
  const policy = manifest('NetworkPolicy').spec;
  assert.deepEqual(manifest('Deployment').spec.selector.matchLabels, labels);
  assert.deepEqual(manifest('PodDisruptionBudget').spec.selector.matchLabels, labels);
  assert.deepEqual(policy.podSelector.matchLabels, labels);
  for (const { ports: named, from } of policy.ingress) {
    for (const { port } of named) {
      assert.ok(ports.has(port), port);
      // What has no sign-in of its own is for nobody but those who are named.
      assert.equal(port === 'internal', from !== undefined);
    }
  }
  const listening = node.env.filter(({ name }: Read) => /LISTEN$/.test(name));
  assert.deepEqual(
    listening.map(({ value }: Read) => SETTINGS.listen.read(value).port),
    node.ports.map((port: Read) => port.containerPort),
  );
});

test('a node may end its calls, and has neither rights nor secrets of its own', () => {
  const { replicas, template } = manifest('Deployment').spec;
  const { spec: pod } = template;
  const [node] = pod.containers;
  const pauseSeconds = node.lifecycle.preStop.sleep.seconds;
  assert.ok(pod.terminationGracePeriodSeconds > pauseSeconds + DRAIN_SECONDS + 5);
  assert.ok(replicas > manifest('PodDisruptionBudget').spec.maxUnavailable);
  const { runAsUser, runAsNonRoot } = pod.securityContext;
  const user = /^USER (\d+)/m.exec(readFileSync(path.join(DEPLOY, 'Dockerfile'), 'utf8'))?.[1];
  assert.deepEqual([runAsNonRoot, runAsUser], [true, Number(user)]);
  assert.equal(node.securityContext.readOnlyRootFilesystem, true);
  for (const { name, value, valueFrom } of node.env) {
    assert.ok(VARIABLES.has(name), name);
    const isSecret = /MASTER_KEY|DATABASE|COUNTERS/.test(name);
    assert.equal(valueFrom?.secretKeyRef !== undefined, isSecret, name);
    assert.equal(value === undefined, isSecret, name);
  }
  assert.ok(manifests.every(({ kind }) => kind !== 'Secret'));
});

test('the probes ask pages that a node has on that port', async () => {
  await using server = await startServeApart();
  const urls: Record<string, string> = { public: server.url, internal: server.internalUrl };
  const [node] = manifest('Deployment').spec.template.spec.containers;
  const probes = ['startupProbe', 'readinessProbe', 'livenessProbe'];
  for (const { path: page, port } of probes.map((name) => node[name].httpGet)) {
    assert.equal((await fetch(`${urls[port]}${page}`)).status, 200, page);
  }
  // A database that does not answer is no reason to end a node.
  assert.equal(node.livenessProbe.httpGet.path, '/healthz');
});

test('Compose reads the file, and its nodes are set up alike', async () => {
  assert.equal(composeRead.code, 0, composeRead.stderr);
  const bad = path.join(temporaryFolder(), 'compose.yaml');
  const text = readFileSync(path.join(DEPLOY, 'compose.yaml'), 'utf8');
  writeFileSync(bad, text.replace('read_only: true', 'readonly: true'));
  assert.notEqual((await runTool('compose-spec', ['-no-interpolation', bad])).code, 0);

  const { 'node-a': one, 'node-b': other, proxy, postgres, valkey } = compose.services;
  assert.deepEqual(one, other);
  for (const name of Object.keys(one.environment)) assert.ok(VARIABLES.has(name), name);
  assert.ok(Number.parseInt(one.stop_grace_period, 10) > DRAIN_SECONDS + 5);
  const trusted = one.environment.PROPUSK_TRUSTED_PROXY;
  assert.equal(compose.networks.calls.ipam.config[0].subnet, trusted);
  for (const { image } of [proxy, postgres, valkey]) assert.match(image, /:\d+\.\d+(\.\d+)?$/);
  // The proxy that is tested is the one that is run.
  const versions = readFileSync(path.join(import.meta.dirname, 'versions.env'), 'utf8');
  assert.equal(proxy.image, `caddy:${/^CADDY_VERSION=v(.*)$/m.exec(versions)?.[1]}`);
  const open = Object.entries<Read>(compose.services).filter(([, { ports }]) => ports);
  assert.deepEqual(
    open.map(([name]) => name),
    ['proxy'],
  );
  for (const [name, { networks }] of Object.entries<Read>(compose.services)) {
    if (name === 'proxy') continue;
    for (const each of Object.keys(networks)) assert.equal(compose.networks[each].internal, true);
  }
});

test('the proxy hands on all protocols, and goes on with the node that is left', async () => {
  const args = ['--secret', 'my-secret', '--trusted-proxy', '127.0.0.1', '--limit', '100000'];
  await using one = await startDev({ args });
  await using other = await startDev({ args });
  const port = await freePort();
  const folder = temporaryFolder();
  const places: Record<string, string> = {
    'h2c://node-a:8080': `h2c://${one.authority}`,
    'h2c://node-b:8080': `h2c://${other.authority}`,
    'http://:8080': `http://127.0.0.1:${port}`,
  };
  let text = readFileSync(path.join(DEPLOY, 'Caddyfile'), 'utf8');
  for (const [from, to] of Object.entries(places)) {
    assert.ok(text.includes(from), from);
    text = text.replace(from, to);
  }
  writeFileSync(path.join(folder, 'Caddyfile'), text);
  const proxy = await start(tool('caddy'), ['run', '--config', 'Caddyfile'], folder, port);
  const authority = `127.0.0.1:${port}`;
  try {
    await using four = new Four({ url: `http://${authority}`, authority });
    const ask = async () => {
      for (const client of four.all) {
        for (let i = 0; i < 5; i++) {
          const { message } = await client.call(AuthService.method.auth, { secret: 'my-secret' });
          assert.match(message.token, /^eyJ/, client.name);
        }
      }
    };
    await ask();
    for (const client of four.all) {
      await assert.rejects(client.call(AuthService.method.auth, { secret: 'no' }), { code: 16 });
    }
    for (const client of four.streaming) {
      const renewal = client.stream(AuthService.method.subscribeJwtRenewal, [
        { secret: 'my-secret' },
      ]);
      for await (const message of renewal) {
        assert.match((message as { token?: string }).token ?? '', /^eyJ/, client.name);
        break;
      }
      const refused = client.stream(AuthService.method.subscribeJwtRenewal, [{ secret: 'no' }]);
      await assert.rejects(Array.fromAsync(refused), { code: 16 }, client.name);
    }
    assert.equal(await one.stop(), 0);
    await ask();
  } finally {
    await stop(proxy);
  }
});
