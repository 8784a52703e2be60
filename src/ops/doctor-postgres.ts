/** What doctor looks at where the database is on a PostgreSQL server. */
import type { Clock } from '../domain/clock.ts';
import type { MasterKey } from '../domain/master-key.ts';
import { readPrograms } from '../store/postgres/audit-programs.ts';
import { VERSION_MIN } from '../store/postgres/migrate.ts';
import { CONNECTIONS_MAX, CONNECTIONS_MORE } from '../store/postgres/postgres.ts';
import { lookAtServer, type Server, type ServerFacts } from '../store/postgres/server.ts';
import { readReport } from '../store/sql/report.ts';
import { lookAt } from '../store/upkeep.ts';
import {
  attempt,
  bad,
  examineClock,
  examineContent,
  examineKeys,
  type Finding,
  good,
  inMiB,
  warning,
} from './findings.ts';

/** By how much the server's clock may differ from ours: nodes allow each other five seconds. */
const APART_MS_MAX = 5_000;
const APART_MS_FEW = 1_000;

interface With {
  readonly masterKey: MasterKey | undefined;
  readonly clock: Clock;
  /** Of a server for reads. */
  readonly connectionsMax: number | undefined;
}

export async function examineServer(
  findings: Finding[],
  database: string,
  { masterKey, clock, connectionsMax }: With,
): Promise<void> {
  const server = await attempt(findings, 'database', () =>
    lookAtServer(database, () => clock.now()),
  );
  if (server === undefined) return;
  findings.push(...examineFacts(server.facts, connectionsMax));
  const report = await attempt(findings, 'database', () => lookAt(database, readReport));
  if (report !== undefined) {
    findings.push(
      ...examineContent(report, masterKey),
      examineClock(report, clock.now()),
      examineKeys(report, clock.now()),
    );
  }
  const programs = await attempt(findings, 'database', () => lookAt(database, readPrograms));
  findings.push(...(programs ?? []).map((program) => bad('database', program)));
  findings.push(examineApart(server));
  findings.push(good('disk', `the database takes ${inMiB(server.facts.bytes)} on its server`));
}

/** How the server is set up, as far as it matters to nodes with so many connections for reads. */
export function examineFacts(facts: ServerFacts, connectionsMax = CONNECTIONS_MAX): Finding[] {
  const { role, version, major, encoding, unlogged } = facts;
  const findings = [good('database', `${role} reaches it, on PostgreSQL ${version}`)];
  const add = (found: Finding) => findings.push(found);
  if (major < VERSION_MIN) {
    add(bad('database', `propusk needs PostgreSQL ${VERSION_MIN} or newer`));
  }
  if (encoding !== 'UTF8') add(bad('database', `its encoding is ${encoding}, and must be UTF8`));
  if (facts.isStandby === 1) {
    add(bad('database', 'its server is a standby, which takes no writes; name the primary'));
  }
  if (facts.isReadOnly === 1) {
    add(bad('database', 'default_transaction_read_only is on, so nothing can be written'));
  }
  if (facts.fsync !== 'on') {
    add(bad('database', 'fsync is off: a crash of its machine may lose or damage everything'));
  }
  if (facts.fullPageWrites !== 'on') {
    add(warning('database', 'full_page_writes is off: a crash of its machine may damage pages'));
  }
  if (facts.synchronousCommit === 'off') {
    const text = 'synchronous_commit is off: a crash may lose sessions and revocations that were';
    add(warning('database', `${text} acknowledged`));
  }
  if (unlogged !== null) add(bad('database', `a crash empties what is UNLOGGED: ${unlogged}`));
  add(examineConnections(facts, connectionsMax));
  return findings;
}

function examineConnections(facts: ServerFacts, forReads: number): Finding {
  const each = forReads + CONNECTIONS_MORE;
  const nodes = Math.floor(facts.connectionsMax / each);
  const text =
    `${facts.connectionsMax} connections are enough for ${nodes} node${nodes === 1 ? '' : 's'}, each with ` +
    `${each} (--database-connections-max ${forReads} and ${CONNECTIONS_MORE})`;
  if (nodes === 0) return bad('database', `${text}; raise max_connections`);
  if (nodes > 1) return good('database', text);
  return warning('database', `${text}; a second one needs more max_connections`);
}

function examineApart({ aheadMs }: Server): Finding {
  const apartMs = Math.abs(aheadMs);
  const text = `the server's differs by ${apartMs < 1000 ? `${apartMs} ms` : `${Math.round(apartMs / 1000)} s`}`;
  if (apartMs <= APART_MS_FEW) return good('clock', text);
  const advice = 'keep both right by NTP';
  return apartMs <= APART_MS_MAX
    ? warning('clock', `${text}; ${advice}`)
    : bad('clock', `${text}; ${advice}`);
}
