/** Markets by their MIC: in which country and on which continent each is. */
import { continentOf } from './country.ts';
import { MIC_LIST } from './mic-list.ts';
import type { Market } from './permission.ts';

/**
 * Four capital letters or digits (ISO 10383); markets without a MIC of that standard have a sign
 * before theirs.
 */
const MIC = /^[#_]?[A-Z0-9]{4}$/;
/** What ISO 10383 writes for a market of no one country. */
export const NO_COUNTRY = 'ZZ';
/**
 * What the API's guide names beside ISO 10383: the Moscow Exchange's equities, and world quotes,
 * which are of no one country.
 */
const OTHERS: readonly (readonly [string, string])[] = [
  ['#RBRD', 'RU'],
  ['#WWCP', ''],
];

/** What a MIC must be, for those that are none. */
export const MIC_RULE = 'must be a MIC, such as XNAS or #RBRD';

export function isMic(text: string): boolean {
  return MIC.test(text);
}

/** The country of each MIC; empty for a market of no one country. */
export type MicCountries = ReadonlyMap<string, string>;

/** Those of ISO 10383 as they were when the list was made, and the guide's own. */
const BUILT_IN: MicCountries = new Map([...readList(MIC_LIST), ...OTHERS]);

function readList(list: string): [string, string][] {
  return list
    .trim()
    .split('\n')
    .flatMap((line) => {
      const [country = '', ...mics] = line.split(' ');
      return mics.map((mic): [string, string] => [mic, country === NO_COUNTRY ? '' : country]);
    });
}

export class Markets {
  readonly #loaded: MicCountries;

  /** @param loaded what the operator knows better, or beside the built-in list */
  constructor(loaded: MicCountries = new Map()) {
    this.#loaded = loaded;
  }

  /** The market of a MIC. One that is not listed is of no country, as far as anybody knows. */
  find(mic: string): Market {
    const country = this.#loaded.get(mic) ?? BUILT_IN.get(mic) ?? '';
    return { mic, country, continent: continentOf(country) ?? '' };
  }

  isListed(mic: string): boolean {
    return this.#loaded.has(mic) || BUILT_IN.has(mic);
  }
}
