/** The audit log's head as people keep it elsewhere, and what a verification found, in words. */
import type { SealedPoint } from '../domain/audit-chain.ts';
import type { AuditReport } from '../store/sql/audit-verify.ts';
import { FileError, readNeeded } from './files.ts';

/** One line of JSON. */
export function formatHead({ writer, sequence, hash, mac }: SealedPoint): string {
  return JSON.stringify({ writer, sequence, hash, mac });
}

/** Reads what formatHead wrote; throws FileError when the file holds something else. */
export function readHeadFile(file: string): SealedPoint {
  const text = readNeeded(file, 'the head of the audit log');
  const head = parseHead(text);
  if (head === undefined) {
    throw new FileError(`${file} holds no head as propusk audit head writes it`);
  }
  return head;
}

function parseHead(text: string): SealedPoint | undefined {
  let value: Partial<Record<keyof SealedPoint, unknown>> | null;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { writer, sequence, hash, mac } = value ?? {};
  if (typeof writer !== 'string' || typeof hash !== 'string' || typeof mac !== 'string') {
    return undefined;
  }
  if (typeof sequence !== 'number' || !Number.isSafeInteger(sequence)) return undefined;
  return { writer, sequence, hash, mac };
}

/** What was found, a line each. */
export function tellReport({
  faults,
  entries,
  unchained,
  untold,
  checkpoint,
  head,
}: AuditReport): string[] {
  if (faults.length > 0) {
    return ['the audit log does NOT verify:', ...faults.map((fault) => `  ${fault}`)];
  }
  const lines: string[] = [];
  if (head === undefined) lines.push('the audit log has no chained entry yet');
  else if (entries === 0) lines.push(`the audit log verifies: it is empty after ${checkpoint}`);
  else lines.push(`the audit log verifies: entries ${checkpoint + 1} to ${head.sequence}`);
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
