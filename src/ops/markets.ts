/** The operator's own list of MICs. */
import { Markets, type MicCountries } from '../domain/mic.ts';
import { readMicCsv } from '../domain/mic-csv.ts';
import { FileError, readNeeded } from './files.ts';

/**
 * Where markets are: by the built-in list, and by the one of a file before it.
 * @param file as ISO 10383's registration authority publishes it; undefined: none
 * @throws FileError in one line when it cannot be read
 */
export function readMarkets(file: string | undefined): Markets {
  return file === undefined ? new Markets() : new Markets(readMics(file));
}

function readMics(file: string): MicCountries {
  const read = readMicCsv(readNeeded(file, 'the list of MICs'));
  if ('countries' in read) return read.countries;
  throw new FileError(`${file} is no list of MICs: ${read.flaws.join('; ')}`);
}
