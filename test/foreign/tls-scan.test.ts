/**
 * testssl.sh looks for what is weak in our TLS: with the self-signed certificate of `--tls`, and with
 * an RSA one, which brings ciphers of its own.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { startDev, temporaryFolder } from '../start.ts';
import { madePair, runTool } from './tools.ts';

/** One check's result. */
interface Finding {
  readonly id: string;
  readonly severity: string;
  readonly finding: string;
}

/** What is no flaw, or a small one; all others are WARN, MEDIUM, HIGH, CRITICAL and FATAL. */
const HARMLESS = ['OK', 'INFO', 'LOW'];

/** What is found beside that, and why it is not ours to mend. */
const EXPLAINED: Readonly<Record<string, string>> = {
  cert_chain_of_trust: 'nobody but itself vouches for a self-signed certificate',
  cert_revocation: 'nobody could revoke it either, so it names no list of those who were',
  engine_problem: 'of the scanner itself: its OpenSSL has no Russian ciphers to try',
};

/** What must have been found, and not merely have been left out. */
const DEMANDED: Readonly<Record<string, RegExp>> = {
  SSLv2: /^not offered/,
  SSLv3: /^not offered/,
  TLS1: /^not offered/,
  TLS1_1: /^not offered/,
  TLS1_2: /^offered/,
  TLS1_3: /^offered/,
  ALPN_HTTP2: /^h2/,
  cipherlist_NULL: /^not offered/,
  cipherlist_aNULL: /^not offered/,
  cipherlist_EXPORT: /^not offered/,
  cipherlist_LOW: /^not offered/,
  cipherlist_3DES_IDEA: /^not offered/,
  cipherlist_AVERAGE: /^not offered/,
  cipherlist_STRONG: /^offered/,
  PFS: /^offered/,
  cert_signatureAlgorithm: /SHA256/,
  cert_keySize: /^(EC 256|RSA 2048) bits/,
  heartbleed: /^not vulnerable/,
  CCS: /^not vulnerable/,
  ROBOT: /^not vulnerable/,
  secure_renego: /^supported/,
  secure_client_renego: /^not vulnerable/,
  CRIME_TLS: /^not vulnerable/,
  BREACH: /^not vulnerable/,
  SWEET32: /^not vulnerable/,
  LOGJAM: /^not vulnerable/,
  BEAST: /^not vulnerable/,
  LUCKY13: /^not vulnerable/,
  RC4: /^not vulnerable/,
};

/** What a check says that could not connect in its own time, on a machine that is busy. */
const NOT_CHECKED = /connect problem/;
const SCANS_MAX = 3;

/**
 * The scanner itself leaves before a ticket of TLS 1.3 has come, and then lacks it. It tries with TLS 1.3 only
 * if an earlier check happened to get one. That sessions are resumed is tested in test/tls.test.ts.
 */
function leftTooEarly({ id, finding }: Finding): boolean {
  return id === 'sessionresumption_ticket' && NOT_CHECKED.test(finding);
}

/** Scans until every check could connect that can. */
async function scanWhole(port: number): Promise<Finding[]> {
  for (let scans = 1; ; scans++) {
    const findings = await scan(port);
    const isWhole = !findings.some((one) => NOT_CHECKED.test(one.finding) && !leftTooEarly(one));
    if (isWhole || scans === SCANS_MAX) return findings;
  }
}

/** Runs every check but those that ask the network's name servers. */
async function scan(port: number): Promise<Finding[]> {
  const file = path.join(temporaryFolder(), 'findings.json');
  const args = ['--quiet', '--color', '0', '--warnings', 'off', '--nodns', 'none'];
  const ran = await runTool('testssl', [...args, '--jsonfile', file, `https://127.0.0.1:${port}`]);
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`testssl wrote no report: ${ran.stdout}${ran.stderr}`, { cause: error });
  }
}

function tell(name: string, findings: readonly Finding[]): void {
  const groups = Object.groupBy(findings, ({ severity }) => severity);
  const counts = Object.entries(groups).map(([severity, group = []]) => {
    const ids = severity === 'OK' || severity === 'INFO' ? [] : group.map(({ id }) => id);
    return `${group.length} ${severity}${ids.length > 0 ? ` (${ids.join(', ')})` : ''}`;
  });
  process.stdout.write(`testssl, ${name}: ${findings.length} findings: ${counts.join(', ')}\n`);
}

const CERTIFICATES: Readonly<Record<string, () => Promise<readonly string[]>>> = {
  'the self-signed certificate': async () => ['--tls'],
  // A key that the server would not make itself.
  'an RSA certificate': async () => (await madePair('-newkey', 'rsa:2048')).flags,
};

test('nothing above low is found in our TLS', { concurrency: true }, async (t) => {
  const scans = Object.entries(CERTIFICATES).map(([name, flags]) =>
    t.test(`with ${name}`, async () => {
      await using server = await startDev({ args: await flags() });
      const findings = await scanWhole(server.port);
      tell(name, findings);
      const flaws = findings.filter(
        (one) => !HARMLESS.includes(one.severity) && !(one.id in EXPLAINED) && !leftTooEarly(one),
      );
      assert.deepEqual(flaws, []);
      const found = new Map(findings.map(({ id, finding }) => [id, finding]));
      for (const [id, expected] of Object.entries(DEMANDED)) {
        assert.match(found.get(id) ?? 'nothing', expected, id);
      }
    }),
  );
  await Promise.all(scans);
});
