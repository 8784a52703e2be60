/** Runs the tools of node_modules/.bin. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';

/** The project's folder. */
export const ROOT = path.join(import.meta.dirname, '..');

/** The tools, and the Node that this script runs under for those that begin with `env node`. */
const SEARCHED = [
  path.dirname(process.execPath),
  path.join(ROOT, 'node_modules', '.bin'),
  process.env.PATH,
].join(path.delimiter);

/** Runs a tool in the project's folder; what it printed if it failed, else nothing. */
export function command(program: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...process.env, PATH: SEARCHED },
    // Windows starts the .cmd files of node_modules/.bin by its shell only.
    shell: process.platform === 'win32',
  });
  if (error !== undefined) return `${program}: ${error.message}`;
  return status === 0 ? '' : `${stdout}${stderr}` || `${program} ended with code ${status}`;
}

/** Generates src/gen into `folder`; what went wrong, else nothing. */
export function generate(folder: string): string {
  const image = path.join(folder, 'src', 'gen', 'contract.binpb');
  return (
    command('buf', 'generate', '-o', folder) ||
    // With the comments, which the generated code leaves out.
    command('buf', 'build', 'proto', '--exclude-imports', '-o', image)
  );
}
