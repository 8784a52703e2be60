/** The audit log's heads as people keep them elsewhere, and what a verification found, in words. */
import { FIRST_CHAIN } from '../domain/audit-chain.ts';
import type { ChainHead } from '../store/sql/audit-points.ts';
import type { AuditReport } from '../store/sql/audit-verify.ts';
import { FileError, readNeeded } from './files.ts';

/** One line of JSON for the head of each chain. */
export function formatHead({ chain, writer, sequence, hash, mac }: ChainHead): string {
  return JSON.stringify({ chain, writer, sequence, hash, mac });
}

/** Reads lines that formatHead wrote; throws FileError when the file holds something else. */
export function readHeadFile(file: string): ChainHead[] {
  const text = readNeeded(file, 'the head of the audit log');
  // One alone may have been laid out in several lines.
  const only = parseHead(text);
  if (only !== undefined) return [only];
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const head = parseHead(line);
      if (head !== undefined) return head;
      throw new FileError(`${file} holds no head as propusk audit head writes it`);
    });
}

function parseHead(text: string): ChainHead | undefined {
  let value: Partial<Record<keyof ChainHead, unknown>> | null;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  // Logs once had one chain alone, and their heads did not say which.
  const { chain = FIRST_CHAIN, writer, sequence, hash, mac } = value ?? {};
  if (typeof writer !== 'string' || typeof hash !== 'string' || typeof mac !== 'string') {
    return undefined;
  }
  if (typeof sequence !== 'number' || !Number.isSafeInteger(sequence)) return undefined;
  if (typeof chain !== 'number' || !Number.isSafeInteger(chain)) return undefined;
  return { chain, writer, sequence, hash, mac };
}

/** What was found, a line each. */
export function tellReport({
  faults,
  entries,
  unchained,
  untold,
  checkpoint,
  heads,
}: AuditReport): string[] {
  if (faults.length > 0) {
    return ['the audit log does NOT verify:', ...faults.map((fault) => `  ${fault}`)];
  }
  const lines: string[] = [];
  const end = Math.max(0, ...heads.map(({ sequence }) => sequence));
  if (heads.length === 0) lines.push('the audit log has no chained entry yet');
  else if (heads.length > 1) {
    const what = `${entries} entries in ${heads.length} chains, after ${checkpoint} and up to ${end}`;
    lines.push(`the audit log verifies: ${what}`);
  } else if (entries === 0) lines.push(`the audit log verifies: it is empty after ${checkpoint}`);
  else lines.push(`the audit log verifies: entries ${checkpoint + 1} to ${end}`);
  if (unchained > 0) {
    lines.push(`${unchained} older entries are not chained: nothing is known about them`);
  }
  if (untold > 0) {
    lines.push(
      `${untold} resources are older than the entries that are kept: nothing is known about them`,
    );
  }
  return lines;
}
