/** `npm run bench`: the whole run, parts of it, or a quick one. */
import { quick } from './quick.ts';

const args = process.argv.slice(2);
const isNoisy = args.includes('--noisy');
await quick({ isNoisy });
