/** What one engine's records are to another that takes them over. */

/** A table as it is copied. */
export interface CopiedTable {
  readonly name: string;
  readonly columns: readonly string[];
  readonly rows: number;
  /** The number after which its next row's comes; undefined where rows are not numbered. */
  readonly newestNumber: number | undefined;
}

/** The other engine does not take a row. */
export class RowRefused extends Error {
  readonly table: string;
  /** From 1, in the order in which the rows were given. */
  readonly line: number;

  constructor(table: string, line: number, message: string, cause: unknown) {
    super(message, { cause });
    this.table = table;
    this.line = line;
  }
}
