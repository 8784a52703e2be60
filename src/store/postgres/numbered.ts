/** The store's SQL texts as PostgreSQL takes them. */

const texts = new Map<string, string>();

/**
 * `?` and `?1` as `$1`, each text translated once: for the program's own, fixed SQL. A `?` without a
 * number has the one after the greatest before it, as in SQLite; those in quotes stay.
 */
export function numbered(sql: string): string {
  let text = texts.get(sql);
  if (text === undefined) {
    let last = 0;
    text = sql.replace(/'[^']*'|"[^"]*"|\?(\d*)/g, (found, digits: string | undefined) => {
      if (digits === undefined) return found;
      const number = digits === '' ? last + 1 : Number(digits);
      last = Math.max(last, number);
      return `$${number}`;
    });
    texts.set(sql, text);
  }
  return text;
}
