/** Generates src/gen from proto/: `npm run generate`. */
import { generate } from './commands.ts';

const wrong = generate('.');
process.stdout.write(wrong || 'src/gen is made anew\n');
process.exitCode = wrong === '' ? 0 : 1;
