/** Reads a Dockerfile, and lays out by its COPY lines what an image would hold. */
import { cpSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';

export interface Instruction {
  /** Such as RUN. */
  readonly name: string;
  /** What stands behind it, on one line. */
  readonly text: string;
}

export interface Stage {
  /** What it begins with: an image, or another stage. */
  readonly from: string;
  /** What others call it; undefined for the last one. */
  readonly name: string | undefined;
  readonly instructions: readonly Instruction[];
}

/** The stages of a Dockerfile, in their order. */
export function readDockerfile(file: string): Stage[] {
  const stages: (Stage & { instructions: Instruction[] })[] = [];
  const lines = readFileSync(file, 'utf8')
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n\s*/g, '');
  for (const line of lines.split('\n').filter((each) => each.trim() !== '')) {
    const [, name = '', text = ''] = /^([A-Z]+) +(.*)$/.exec(line) ?? [];
    const [, from, as] = /^(\S+)(?: AS (\S+))?$/.exec(text) ?? [];
    if (name === 'FROM') stages.push({ from: from ?? '', name: as, instructions: [] });
    else if (name !== '') stages.at(-1)?.instructions.push({ name, text });
    else throw new Error(`${file}: cannot read ${line}`);
  }
  return stages;
}

/** The stage of that name, or the last one. */
export function stageOf(stages: readonly Stage[], name?: string): Stage {
  const found = stages.find((stage) => stage.name === name);
  if (found === undefined) throw new Error(`there is no stage ${name}`);
  return found;
}

/** What all instructions of that name in a stage say. */
export function textsOf({ instructions }: Stage, name: string): string[] {
  return instructions.filter((each) => each.name === name).map(({ text }) => text);
}

/** The words of an instruction in exec form, which no shell reads: `CMD ["serve"]`. */
export function wordsOf(text: string): string[] {
  return JSON.parse(text.slice(text.indexOf('[')));
}

/** The variables that a stage sets. */
export function variablesOf(stage: Stage): Record<string, string> {
  const pairs = textsOf(stage, 'ENV').flatMap((text) => text.trim().split(/\s+/));
  return Object.fromEntries(pairs.map((pair) => pair.split(/=(.*)/s)));
}

/** Whether .dockerignore lets a file through; it knows the forms that ours has. */
export function contextFilter(ignoreFile: string): (file: string) => boolean {
  const lines = readFileSync(ignoreFile, 'utf8').split('\n');
  const patterns = lines.filter((line) => line !== '' && !line.startsWith('#'));
  return (file) => {
    let isIn = true;
    // The last one that fits counts, and what is said of a folder is said of all in it.
    for (const pattern of patterns) {
      const glob = pattern.replace(/^!/, '');
      const parents = file.split('/').map((_, i, names) => names.slice(0, i + 1).join('/'));
      if (parents.some((each) => path.matchesGlob(each, glob))) isIn = pattern.startsWith('!');
    }
    return isIn;
  };
}

/**
 * Does the COPY lines of a stage.
 * @param to the root of its image
 * @param context from where, and which files of it
 * @param roots of the stages before, by their names
 */
export function copyInto(
  stage: Stage,
  to: string,
  context: { readonly folder: string; readonly isIn: (file: string) => boolean },
  roots: Readonly<Record<string, string>>,
): void {
  const [workdir = '/'] = textsOf(stage, 'WORKDIR');
  for (const text of textsOf(stage, 'COPY')) {
    const words = text.split(' ');
    const [, from] = /^--from=(.*)$/.exec(words[0] ?? '') ?? [];
    const sources = words.slice(from === undefined ? 0 : 1, -1);
    const last = words.at(-1) ?? '';
    const target = path.join(to, path.resolve(workdir, last));
    const source = from === undefined ? context.folder : roots[from];
    if (source === undefined) throw new Error(`COPY ${text}: there is no such stage`);
    for (const name of sources) {
      const origin = path.join(source, name);
      const goal = last.endsWith('/') ? path.join(target, path.basename(name)) : target;
      mkdirSync(path.dirname(goal), { recursive: true });
      cpSync(origin, goal, {
        recursive: true,
        verbatimSymlinks: true,
        filter: (file) =>
          from !== undefined ||
          statSync(file).isDirectory() ||
          context.isIn(path.relative(source, file)),
      });
    }
  }
}
