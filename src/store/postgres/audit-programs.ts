/**
 * What would run in a PostgreSQL database when Propusk reads or writes, and is not Propusk's: it makes
 * tables, indexes and constraints, and no programs. What one does would count as done by Propusk.
 */
import { rows, type Sql } from '../sql/query.ts';
import { readMigrations } from './migrate.ts';

/** Programs that are told at most; a verification tells fewer. */
const TOLD_MAX = 100;

/** The defaults that the migrations make, as the server tells them. All other columns have none. */
export const DEFAULTS: Readonly<Record<string, string>> = {
  'api_key.source_networks': "'[]'::text",
  'audit.chain': '1',
  'audit_point.chain': '1',
  'change_feed.at_ms': 'floor((EXTRACT(epoch FROM clock_timestamp()) * (1000)::numeric))',
  'newest_batch.at_ms': 'floor((EXTRACT(epoch FROM clock_timestamp()) * (1000)::numeric))',
};

/** The schema is the one that Propusk's own table is found in; extensions' objects are theirs. */
const OURS = `
  SELECT relnamespace AS oid FROM pg_class WHERE oid = to_regclass('propusk_schema')`;

const isOfExtension = (catalog: string) => `EXISTS (
  SELECT FROM pg_depend WHERE classid = '${catalog}'::regclass AND objid = ${catalog}.oid
    AND deptype = 'e')`;

/** Every query about programs. */
export const PROGRAM_SQL = {
  programs: `
    WITH ours AS (${OURS}), held AS (
      SELECT pg_class.oid, relname, relkind, relrowsecurity FROM pg_class
      WHERE relnamespace = (SELECT oid FROM ours))
    SELECT * FROM (
      SELECT 'trigger' AS kind, tgname || ' on ' || relname AS name
      FROM pg_trigger JOIN held ON held.oid = tgrelid WHERE NOT tgisinternal
      UNION ALL
      SELECT 'rule', rulename || ' on ' || relname
      FROM pg_rewrite JOIN held ON held.oid = ev_class WHERE rulename <> '_RETURN'
      UNION ALL
      SELECT CASE relkind WHEN 'f' THEN 'foreign table' ELSE 'view' END, CAST(relname AS text)
      FROM pg_class WHERE relnamespace = (SELECT oid FROM ours) AND relkind IN ('v', 'm', 'f')
        AND NOT ${isOfExtension('pg_class')}
      UNION ALL
      SELECT 'function', CAST(proname AS text)
      FROM pg_proc WHERE pronamespace = (SELECT oid FROM ours) AND NOT ${isOfExtension('pg_proc')}
      UNION ALL
      SELECT 'event trigger', CAST(evtname AS text)
      FROM pg_event_trigger WHERE evtenabled <> 'D' AND NOT ${isOfExtension('pg_event_trigger')}
      UNION ALL
      SELECT 'policy', polname || ' on ' || relname
      FROM pg_policy JOIN held ON held.oid = polrelid
      UNION ALL
      SELECT 'row security', 'on ' || relname FROM held WHERE relrowsecurity
      UNION ALL
      SELECT 'table', inhrelid::regclass || ' that is part of ' || relname
      FROM pg_inherits JOIN held ON held.oid = inhparent WHERE relkind = 'r'
      UNION ALL
      SELECT 'constraint', conname || ' on ' || relname
      FROM pg_constraint JOIN held ON held.oid = conrelid
      WHERE EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_constraint'::regclass
        AND objid = pg_constraint.oid AND refclassid = 'pg_proc'::regclass)
      UNION ALL
      SELECT 'index', CAST(relname AS text) FROM held
      WHERE relkind = 'i' AND EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass
        AND objid = held.oid AND refclassid = 'pg_proc'::regclass)
    ) AS found ORDER BY kind, name LIMIT ${TOLD_MAX}`,
  defaults: `
    SELECT relname || '.' || attname AS "column", pg_get_expr(adbin, adrelid) AS text,
      CAST(attgenerated <> '' AS integer) AS "isGenerated"
    FROM pg_attrdef JOIN pg_class ON pg_class.oid = adrelid
      JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
    WHERE relnamespace = (${OURS}) AND relname = ANY (string_to_array(?, ','))
    ORDER BY 1`,
  exchanged: `
    SELECT name FROM unnest(string_to_array(?, ',')) AS name
      LEFT JOIN pg_class ON pg_class.oid = to_regclass(name)
    WHERE relkind IS DISTINCT FROM 'r' OR relnamespace IS DISTINCT FROM (${OURS})
    ORDER BY name`,
  unchecked: `
    SELECT DISTINCT relname AS name FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
    WHERE relnamespace = (${OURS}) AND tgisinternal AND tgenabled <> 'O' ORDER BY relname`,
} as const;

/** The tables that the migrations make. */
export function ourTables(): string[] {
  return readMigrations().flatMap(({ sql }) =>
    [...sql.matchAll(/^CREATE TABLE (\w+)/gm)].map(([, name = '']) => name),
  );
}

/** A sentence for each. */
export function* readPrograms(): Sql<string[]> {
  const foreign = (what: string) =>
    `the database holds ${/^[aei]/.test(what) ? 'an' : 'a'} ${what}, which Propusk did not make`;
  const programs = yield* rows<{ kind: string; name: string }>(PROGRAM_SQL.programs);
  const tables = ourTables().join(',');
  const defaults = yield* rows<{ column: string; text: string; isGenerated: number }>(
    ...[PROGRAM_SQL.defaults, tables],
  );
  const exchanged = yield* rows<{ name: string }>(PROGRAM_SQL.exchanged, tables);
  const unchecked = yield* rows<{ name: string }>(PROGRAM_SQL.unchecked);
  return [
    ...exchanged.map(({ name }) => `the table ${name} is not the one that Propusk made`),
    ...programs.map(({ kind, name }) => foreign(`${kind} ${name}`)),
    ...defaults
      .filter(({ column, text, isGenerated }) => isGenerated === 1 || DEFAULTS[column] !== text)
      .map(({ column, isGenerated }) =>
        foreign(isGenerated === 1 ? `generated column ${column}` : `default of ${column}`),
      ),
    ...unchecked.map(({ name }) => `references of ${name} are not checked: that was switched off`),
  ];
}
