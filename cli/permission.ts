/** Market data permissions as people write them: `mic:XNAS=DEPTH_OF_BOOK`, `country:US=LAST_PRICE@15`. */
import { create } from '@bufbuild/protobuf';
import {
  type MDPermission,
  MDPermissionSchema,
  MDPermission_QuoteLevel as QuoteLevel,
} from '../src/gen/grpc/tradeapi/v1/auth/auth_service_pb.js';
import { unusable } from './failure.ts';

const FORM = /^(?:(worldwide)|(mic|country|continent):([^=]+))=([A-Za-z_]+)(?:@(\d{1,9}))?$/;

/** The levels' names without the prefix that they all have. */
const LEVELS = Object.keys(QuoteLevel).filter(
  (name) => Number.isNaN(Number(name)) && name !== 'UNSPECIFIED',
) as (keyof typeof QuoteLevel)[];

/** A level by its name, with or without the prefix, in any case; undefined where it is none. */
function levelNamed(text: string): QuoteLevel | undefined {
  const wanted = text.toUpperCase().replace(/^QUOTE_LEVEL_/, '');
  const name = LEVELS.find((each) => each === wanted);
  return name && QuoteLevel[name];
}

/**
 * Reads a level at which a market is to be seen.
 * @throws CommandFailure USAGE
 */
export function readLevel(text: string): QuoteLevel {
  const level = levelNamed(text);
  if (level !== undefined && level !== QuoteLevel.ACCESS_FORBIDDEN) return level;
  const names = LEVELS.filter((name) => name !== 'ACCESS_FORBIDDEN');
  throw unusable(`"${text}" is none of ${names.join(', ')}`);
}

/** A level and its delay, such as `LAST_PRICE@15`. */
export function showLevel(level: QuoteLevel, delayMinutes: number): string {
  return `${QuoteLevel[level] ?? level}${delayMinutes === 0 ? '' : `@${delayMinutes}`}`;
}

/**
 * Reads `WHERE=LEVEL[@MINUTES]`.
 * @throws CommandFailure USAGE
 */
export function readPermission(text: string): MDPermission {
  const [, worldwide, kind, place = '', name = '', minutes = '0'] = FORM.exec(text) ?? [];
  const level = levelNamed(name);
  if ((worldwide === undefined && kind === undefined) || level === undefined) {
    throw unusable(
      `"${text}" is not WHERE=LEVEL[@MINUTES], such as mic:XNAS=DEPTH_OF_BOOK or worldwide=LAST_PRICE@15; ` +
        `WHERE is mic:…, country:…, continent:… or worldwide, LEVEL one of ${LEVELS.join(', ')}`,
    );
  }
  const condition =
    kind === undefined
      ? { case: 'worldwide' as const, value: true }
      : { case: kind as 'mic' | 'country' | 'continent', value: place };
  return create(MDPermissionSchema, {
    quoteLevel: level,
    delayMinutes: Number(minutes),
    condition: condition as MDPermission['condition'],
  });
}

/** The same the other way round. */
export function showPermission({ quoteLevel, delayMinutes, condition }: MDPermission): string {
  const where =
    condition.case === 'worldwide' ? 'worldwide' : `${condition.case}:${condition.value}`;
  return `${where}=${showLevel(quoteLevel, delayMinutes)}`;
}
