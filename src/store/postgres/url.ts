/** The addresses of databases on PostgreSQL; apart from its driver, which only those load who use one. */

/** True for a database that many processes may share. */
export function isPostgres(url: string): boolean {
  return /^postgres(ql)?:/.test(url);
}

/** The database as errors and people may see it: without a password. */
export function placeOf(url: string): string {
  const at = URL.parse(url);
  return at === null ? 'the PostgreSQL database' : `postgres://${at.host}${at.pathname}`;
}
