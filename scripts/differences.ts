/** Compares two folders. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

function filesOf(folder: string): Set<string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return new Set(files.map((file) => path.relative(folder, path.join(file.parentPath, file.name))));
}

/** What differs, one line for each file; empty when the folders hold the same. */
export function differences(expected: string, actual: string): string[] {
  const wanted = filesOf(expected);
  const there = filesOf(actual);
  const found: string[] = [];
  for (const file of [...wanted.union(there)].sort()) {
    if (!there.has(file)) found.push(`missing: ${file}`);
    else if (!wanted.has(file)) found.push(`left over: ${file}`);
    else {
      const isSame = readFileSync(path.join(expected, file)).equals(
        readFileSync(path.join(actual, file)),
      );
      if (!isSame) found.push(`differs: ${file}`);
    }
  }
  return found;
}
