/** Completes package-lock.json after a change of packages: `npm run lock`. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from './commands.ts';
import { missingPlatforms } from './platforms.ts';

const file = path.join(ROOT, 'package-lock.json');
const lock = JSON.parse(readFileSync(file, 'utf8'));
const missing = missingPlatforms(lock.packages);
const all = { ...lock.packages, ...Object.fromEntries(missing) };
const places = Object.keys(all).sort((a, b) => (a < b ? -1 : 1));
lock.packages = Object.fromEntries(places.map((place) => [place, all[place]]));
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
process.stdout.write(`${missing.size} packages of other platforms were missing in the lock\n`);
