/** Processes that tests start: what they print, and how they end. */
import type { ChildProcess } from 'node:child_process';

/** What a program that ran to its end has printed. */
export interface Ran {
  /** null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What it prints, as it comes. */
export function collect(child: ChildProcess): { stdout: string; stderr: string } {
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text) => {
      output[name] += text;
    });
  }
  return output;
}

/** Resolves with the exit code (null when a signal ended it); rejects when it could not be started. */
export function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code));
  });
}

/** Waits for its end, from its start on. */
export async function ran(child: ChildProcess): Promise<Ran> {
  const output = collect(child);
  return { code: await ended(child), ...output };
}
