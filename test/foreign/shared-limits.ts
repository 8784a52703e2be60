/** Whether nodes share their limits, by what each tells of itself on its internal port. */
import { figuresAt } from '../figures.ts';
import { until } from '../wait.ts';

/** How long nodes may take to see each other, on a machine that does more than this. */
export const SEEN_MS_MAX = 60_000;

/** A figure of each node. */
export function figuresOf(
  internalUrls: readonly string[],
  name: string,
): Promise<(number | undefined)[]> {
  return Promise.all(internalUrls.map(async (url) => (await figuresAt(url)).get(name)));
}

/** Resolves when each of them shares its limits with all others. */
export async function untilAllShare(internalUrls: readonly string[]): Promise<void> {
  const all = (name: string, value: number) => () => areAll(internalUrls, name, value);
  await until('nodes that share', all('propusk_counters_shared', 1), SEEN_MS_MAX);
  const count = internalUrls.length;
  await until('nodes that know of each other', all('propusk_counters_nodes', count), SEEN_MS_MAX);
}

/** Resolves when each is alone. */
export async function untilAllAlone(
  internalUrls: readonly string[],
  msMax = SEEN_MS_MAX,
): Promise<void> {
  const alone = () => areAll(internalUrls, 'propusk_counters_shared', 0);
  await until('nodes alone', alone, msMax);
}

async function areAll(urls: readonly string[], name: string, value: number): Promise<boolean> {
  return (await figuresOf(urls, name)).every((each) => each === value);
}
