/** The command line as a person or a script uses it, in this process. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { runIn } from '../cli/main.ts';
import type { AdministeredServer } from './administration.ts';
import { temporaryFolder } from './start.ts';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function collector(): { readonly stream: PassThrough; readonly text: () => string } {
  const stream = new PassThrough();
  let text = '';
  stream.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  return { stream, text: () => text };
}

/** One person's machine: a configuration folder, an environment, and files. */
export class Terminal {
  readonly folder = temporaryFolder();
  readonly env: Record<string, string> = { XDG_CONFIG_HOME: path.join(this.folder, 'config') };

  /** Runs one command to its end. */
  async run(args: readonly string[], input = ''): Promise<Ran> {
    const [stdout, stderr] = [collector(), collector()];
    const around = {
      env: this.env,
      stdin: Readable.from([input]),
      stdout: stdout.stream,
      stderr: stderr.stream,
      now: Date.now,
    };
    const code = await runIn(around, args);
    return { code, stdout: stdout.text(), stderr: stderr.text() };
  }

  /** What a command that must work prints. */
  async does(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(args);
    if (code !== 0) throw new Error(`propusk ${args.join(' ')} ended with ${code}: ${stderr}`);
    return stdout;
  }

  /** The same as a value. */
  // biome-ignore lint/suspicious/noExplicitAny: an answer is looked into by path
  async asks(...args: readonly string[]): Promise<any> {
    return JSON.parse(await this.does(...args, '--output', 'json'));
  }

  /** A file on this machine. */
  file(name: string, text?: string): string {
    const file = path.join(this.folder, name);
    if (text !== undefined) writeFileSync(file, text);
    return file;
  }

  /** Logs in to a server as the operator with this token. */
  async logIn(server: AdministeredServer, token: string): Promise<void> {
    const api = `http://127.0.0.1:${server.server.port}`;
    const args = ['login', `http://127.0.0.1:${server.server.internalPort}`, '--api', api];
    const { code, stderr } = await this.run(args, `${token}\n`);
    if (code !== 0) throw new Error(`login ended with ${code}: ${stderr}`);
  }
}
