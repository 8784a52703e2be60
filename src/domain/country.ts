/** Countries (ISO 3166, two letters) and the continents that permissions name them by. */

/** Africa, Antarctica, Asia, Europe, North America (to Panama), Oceania and South America. */
export const CONTINENTS = ['AF', 'AN', 'AS', 'EU', 'NA', 'OC', 'SA'] as const;
export type Continent = (typeof CONTINENTS)[number];

/**
 * Every country is of the one continent that the United Nations' M49 puts it in: Russia in Europe;
 * Turkey, Cyprus and Kazakhstan in Asia. Taiwan and Kosovo, which M49 has no row for, are with
 * their neighbours.
 */
const COUNTRIES: Readonly<Record<Continent, string>> = {
  AF: `
    AO BF BI BJ BW CD CF CG CI CM CV DJ DZ EG EH ER ET GA GH GM GN GQ GW IO KE KM LR LS LY MA
    MG ML MR MU MW MZ NA NE NG RE RW SC SD SH SL SN SO SS ST SZ TD TF TG TN TZ UG YT ZA ZM ZW`,
  AN: `
    AQ`,
  AS: `
    AE AF AM AZ BD BH BN BT CN CY GE HK ID IL IN IQ IR JO JP KG KH KP KR KW KZ LA LB LK MM MN
    MO MV MY NP OM PH PK PS QA SA SG SY TH TJ TL TM TR TW UZ VN YE`,
  EU: `
    AD AL AT AX BA BE BG BY CH CZ DE DK EE ES FI FO FR GB GG GI GR HR HU IE IM IS IT JE LI LT
    LU LV MC MD ME MK MT NL NO PL PT RO RS RU SE SI SJ SK SM UA VA XK`,
  NA: `
    AG AI AW BB BL BM BQ BS BZ CA CR CU CW DM DO GD GL GP GT HN HT JM KN KY LC MF MQ MS MX NI
    PA PM PR SV SX TC TT US VC VG VI`,
  OC: `
    AS AU CC CK CX FJ FM GU HM KI MH MP NC NF NR NU NZ PF PG PN PW SB TK TO TV UM VU WF WS`,
  SA: `
    AR BO BR BV CL CO EC FK GF GS GY PE PY SR UY VE`,
};

const CONTINENT_OF: ReadonlyMap<string, Continent> = new Map(
  CONTINENTS.flatMap((continent) =>
    COUNTRIES[continent]
      .trim()
      .split(/\s+/)
      .map((country) => [country, continent]),
  ),
);

/** The continent of a country; undefined for what is no country. */
export function continentOf(country: string): Continent | undefined {
  return CONTINENT_OF.get(country);
}

export function isContinent(text: string): text is Continent {
  return (CONTINENTS as readonly string[]).includes(text);
}
