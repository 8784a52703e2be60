/** kill -9 in the midst of sign-ins: whatever was answered is on the disk, with its audit entry. */
import assert from 'node:assert/strict';
import http from 'node:http';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type InChild, startDev } from '../start.ts';
import { restart } from './tools.ts';

const CRASHES = 20;
const IN_FLIGHT = 64;
const FLAGS = ['--limit', '1000000000'];
/** The kill comes this long after the first answer, at most, in milliseconds. */
const LOAD_MS_MAX = 1500;

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Sends one request over the agent's connections; rejects when it is not answered whole. */
function post(agent: http.Agent, url: string, body: object): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { agent, method: 'POST' }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => {
        text += part;
      });
      response.on('error', reject);
      response.on('close', () => {
        if (!response.complete) reject(new Error('the answer broke off'));
        else resolve({ status: response.statusCode ?? 0, body: text });
      });
    });
    request.on('error', reject);
    request.end(JSON.stringify(body));
  });
}

/** Does `work` for each, with many under way at a time. */
async function forAll<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = items.values();
  const workers = Array.from({ length: IN_FLIGHT }, async () => {
    for (const item of left) await work(item);
  });
  await Promise.all(workers);
}

/** Signs in, many at a time, until the server is gone; the tokens that were answered. */
async function signInUntilKilled(server: InChild): Promise<string[]> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: IN_FLIGHT });
  const tokens: string[] = [];
  let answered = () => {};
  const first = new Promise<void>((resolve) => {
    answered = resolve;
  });
  const signIn = async () => {
    for (;;) {
      const answer = await post(agent, `${server.url}/v1/sessions`, {
        secret: server.secret,
      }).catch(() => undefined);
      if (answer === undefined) return;
      assert.equal(answer.status, 200, answer.body);
      tokens.push(JSON.parse(answer.body).token);
      answered();
    }
  };
  const load = Promise.all(Array.from({ length: IN_FLIGHT }, signIn));
  await first;
  await sleep(Math.random() * LOAD_MS_MAX);
  await server.stop('SIGKILL');
  await load;
  agent.destroy();
  return tokens;
}

function sessionIdOf(token: string): string {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).jti;
}

/** What a database that nobody has open holds of sessions. */
function readSessions(folder: string): { sessions: Set<string>; audited: Set<string> } {
  const db = new DatabaseSync(path.join(folder, 'propusk.db'), { readOnly: true });
  try {
    const check = db.prepare('PRAGMA integrity_check').get();
    assert.deepEqual({ ...check }, { integrity_check: 'ok' });
    const sessions = db.prepare('SELECT id FROM session').all();
    const audit = db.prepare("SELECT target FROM audit WHERE action = 'session.create'").all();
    return {
      sessions: new Set(sessions.map(({ id }) => String(id))),
      audited: new Set(audit.map(({ target }) => String(target).replace(/^session:/, ''))),
    };
  } finally {
    db.close();
  }
}

test(`${CRASHES} times kill -9: every token that was answered is kept`, async (t) => {
  let server = await startDev({ args: FLAGS });
  let total = 0;
  try {
    for (let crash = 1; crash <= CRASHES; crash++) {
      const tokens = await signInUntilKilled(server);
      const { sessions, audited } = readSessions(server.folder);
      const lost = tokens.map(sessionIdOf).filter((id) => !sessions.has(id) || !audited.has(id));
      assert.deepEqual(lost, [], `crash ${crash}: ${lost.length} of ${tokens.length} are lost`);
      // Those that were recorded and not answered in time are there in both places too.
      assert.deepEqual(sessions.symmetricDifference(audited), new Set());

      server = await restart(server, FLAGS);
      const agent = new http.Agent({ keepAlive: true, maxSockets: IN_FLIGHT });
      await forAll(tokens, async (token) => {
        const answer = await post(agent, `${server.url}/v1/sessions/details`, { token });
        assert.equal(answer.status, 200, answer.body);
      });
      agent.destroy();
      total += tokens.length;
      t.diagnostic(`crash ${crash}: ${tokens.length} answered, ${sessions.size} recorded so far`);
    }
  } finally {
    await server.stop('SIGKILL');
  }
  t.diagnostic(`${CRASHES} crashes, ${total} tokens answered, none lost`);
});
