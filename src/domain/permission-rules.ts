/** What makes a permission of a plan: every rule that is checked before a plan is kept. */
import { CONTINENTS, continentOf, isContinent } from './country.ts';
import type { FieldViolation } from './errors.ts';
import { isMic, MIC_RULE } from './mic.ts';
import { type Permission, QuoteLevel } from './permission.ts';

/** Minutes by which data may be late; data that comes later than after 30 days is not sold as late. */
export const DELAY_MINUTES_MAX = 43_200;

/**
 * Everything that is wrong with a permission, by the names of the contract's MDPermission. A level
 * or condition may be any number or text that a request can hold.
 */
export function permissionFlaws(permission: Permission): FieldViolation[] {
  const { quoteLevel, delayMinutes, conditionKind, conditionValue } = permission;
  const flaws: FieldViolation[] = [];
  const flaw = (field: string, description: string) => flaws.push({ field, description });
  if (quoteLevel === QuoteLevel.UNSPECIFIED || !Object.values(QuoteLevel).includes(quoteLevel)) {
    flaw('quote_level', 'must be one of the levels, such as QUOTE_LEVEL_LAST_PRICE');
  }
  if (!(delayMinutes >= 0 && delayMinutes <= DELAY_MINUTES_MAX && delayMinutes % 1 === 0)) {
    flaw('delay_minutes', `must be from 0 (real time) to ${DELAY_MINUTES_MAX}`);
  }
  if (conditionKind === 'mic' && !isMic(conditionValue)) flaw('mic', MIC_RULE);
  if (conditionKind === 'country' && continentOf(conditionValue) === undefined) {
    flaw('country', 'must be a country of ISO 3166 in two capital letters, such as RU');
  }
  if (conditionKind === 'continent' && !isContinent(conditionValue)) {
    flaw('continent', `must be one of ${CONTINENTS.join(', ')}`);
  }
  return flaws;
}
