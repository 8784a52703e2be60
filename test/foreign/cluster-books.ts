/** What a load was told, and whether it is so: against what each node answers, and against the database. */
import assert from 'node:assert/strict';
import { runProgram } from '../start.ts';
import { type Cluster, type ClusterNode, STALENESS_MS_MAX } from './cluster.ts';

/** A session whose sign-in was answered. */
export interface Session {
  /** Its id. */
  readonly jti: string;
  readonly token: string;
  readonly keyId: string;
  /** Set before its end is asked for: from then on a refusal is right. */
  end?: End;
}

/** The end of a session, or of its key. */
export interface End {
  /** When it was answered, in milliseconds of the monotonic clock; undefined until then. */
  answeredAtMs?: number;
  /** Who answered it, where that was the first who was asked: it knows by itself. */
  by?: ClusterNode;
  /** Who has refused the token, and when the first refusal was there. */
  readonly refusedAtMs: Map<ClusterNode, number>;
}

export class Books {
  readonly sessions: Session[] = [];
  /** By the id that the client gave, what the venue called it. */
  readonly orders = new Map<string, string>();
  /** Answers by kind, of which none went against a promise. */
  readonly counts: Record<string, number> = {};
  /** Attempts that were UNAVAILABLE, or not answered in time, and were made again. */
  retries = 0;
  /** Calls that were refused for no good reason, or never answered. */
  readonly failures: string[] = [];
  /** Answers that went against a promise. */
  readonly broken: string[] = [];
  /**
   * Set while the database is away: no call that begins later than this, in milliseconds of the monotonic
   * clock, may be answered by a yes, for nobody can know.
   */
  unknownFromMs = Number.POSITIVE_INFINITY;

  count(kind: string): void {
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
  }

  /** A node has accepted the token. @param beganAtMs when it was asked */
  accepted(session: Session, node: ClusterNode, beganAtMs: number): void {
    if (beganAtMs > this.unknownFromMs) {
      this.broken.push(`${session.jti}: accepted by ${node.port}, which cannot know`);
    }
    const { answeredAtMs = Number.POSITIVE_INFINITY, by, refusedAtMs } = session.end ?? OPEN;
    const boundMs = answeredAtMs + (node === by ? 0 : STALENESS_MS_MAX);
    if (beganAtMs > boundMs) {
      const ms = (beganAtMs - answeredAtMs).toFixed(0);
      this.broken.push(`${session.jti}: accepted by ${node.port} ${ms} ms after its end`);
    } else if (beganAtMs > (refusedAtMs.get(node) ?? Number.POSITIVE_INFINITY)) {
      this.broken.push(`${session.jti}: accepted by ${node.port}, which had refused it`);
    }
  }

  /** A node has refused the token. */
  refused(session: Session, node: ClusterNode): void {
    if (session.end === undefined) {
      this.broken.push(`${session.jti}: refused by ${node.port}, and nobody has ended it`);
    } else if (!session.end.refusedAtMs.has(node)) {
      session.end.refusedAtMs.set(node, performance.now());
    }
  }

  /** Fails where something answered is lost, is there twice, or went against a promise. */
  async verify(cluster: Cluster): Promise<void> {
    assert.deepEqual([...this.broken, ...this.failures], []);
    for (const kind of KINDS) assert.ok((this.counts[kind] ?? 0) > 0, `no ${kind}: ${this.told}`);
    await this.#verifySessions(cluster);
    await this.#verifyOrders(cluster);
    const [node] = cluster.nodes;
    const env = { ...node?.env, PROPUSK_DATABASE: cluster.url };
    const { code, stdout, stderr } = await runProgram(['audit', 'verify'], { env });
    assert.equal(code, 0, stdout + stderr);
  }

  /** In one line. */
  get told(): string {
    const counts = Object.entries(this.counts).map(([kind, count]) => `${count} ${kind}`);
    return `${counts.join(', ')}; ${this.retries} attempts made again`;
  }

  async #verifySessions({ postgres, url }: Cluster): Promise<void> {
    const rows = await postgres.query(
      url,
      `SELECT id, revoked_at_ms IS NOT NULL AS "isRevoked",
         EXISTS (SELECT 1 FROM api_key WHERE api_key.id = key_id AND api_key.revoked_at_ms IS NOT NULL) AS "isOver",
         (SELECT count(*) FROM audit WHERE target = 'session:' || session.id AND action = 'session.create') AS entries
       FROM session`,
    );
    // Also of those that nobody heard of: each, with the one entry about it.
    const wrong = rows.filter(({ entries }) => Number(entries) !== 1);
    assert.deepEqual(wrong, [], 'each session has one entry');
    const [orphans] = await postgres.query(
      url,
      `SELECT count(*) FROM audit WHERE action = 'session.create'
       AND NOT EXISTS (SELECT 1 FROM session WHERE target = 'session:' || session.id)`,
    );
    assert.equal(Number(orphans?.count), 0, 'each entry has its session');
    const found = new Map(rows.map((row) => [row.id, row]));
    const lost = this.sessions.filter(({ jti }) => !found.has(jti));
    assert.deepEqual(lost, [], 'sessions that were answered');
    const ended = this.sessions.filter(({ end }) => end?.answeredAtMs !== undefined);
    const alive = ended.filter(({ jti }) => !found.get(jti)?.isRevoked && !found.get(jti)?.isOver);
    assert.deepEqual(alive, [], 'ends that were answered');
  }

  async #verifyOrders({ postgres, url }: Cluster): Promise<void> {
    const rows = await postgres.query(
      url,
      'SELECT id, client_order_id AS "clientOrderId" FROM placed_order',
    );
    const found = new Map(rows.map(({ id, clientOrderId }) => [clientOrderId, id]));
    assert.equal(found.size, rows.length, 'each order is there once');
    const lost = [...this.orders].filter(([clientOrderId, id]) => found.get(clientOrderId) !== id);
    assert.deepEqual(lost, [], 'orders that were answered');
  }
}

/** What a load does; none of it may have stood still. */
export const KINDS = ['sign-ins', 'good tokens', 'ended tokens', 'ends', 'orders'] as const;

/** Nobody has ended it. */
const OPEN: End = { refusedAtMs: new Map() };
