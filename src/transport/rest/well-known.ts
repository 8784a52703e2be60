/** The messages of google.protobuf whose JSON is not an object of their fields. */
import {
  create,
  type DescMessage,
  fromJson,
  type JsonValue,
  type Message,
} from '@bufbuild/protobuf';
import { DurationSchema, FieldMaskSchema, TimestampSchema } from '@bufbuild/protobuf/wkt';
import { type Json, LongNumber, parseJson } from './json.ts';

const RFC_3339 =
  /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))$/;
const DURATION = /^([+-]?)(0|[1-9]\d*)?(?:\.(\d{0,9}))?s$/;
const DURATION_SECONDS_MAX = 315_576_000_000;
/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z. */
const SECONDS_MIN = -62_135_596_800;
const SECONDS_MAX = 253_402_300_799;

/** Names that are the same again once they were in camelCase; others have no JSON form. */
const PATH = /^([a-z]|_[a-z])([a-z\d]|_[a-z])*(\.([a-z]|_[a-z])([a-z\d]|_[a-z])*)*$/;

/** Seconds since 1970 of a date and time that the calendar has. */
function secondsOf(parts: readonly number[]): number | undefined {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts;
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  // The 30th of February would have become a day of March.
  const isReal = date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  return isReal ? date.getTime() / 1000 : undefined;
}

function timestampOf(text: string): Message | undefined {
  const found = RFC_3339.exec(text);
  if (found === null) return undefined;
  const local = secondsOf(found.slice(1, 7).map(Number));
  const [fraction = '', sign = '+', hours = 0, minutes = 0] = found.slice(7);
  if (local === undefined || Number(hours) > 23 || Number(minutes) > 59) return undefined;
  const offset = Number(hours) * 3600 + Number(minutes) * 60;
  const seconds = local - (sign === '-' ? -offset : offset);
  if (seconds < SECONDS_MIN || seconds > SECONDS_MAX) return undefined;
  const nanos = Number(fraction.padEnd(9, '0'));
  return create(TimestampSchema, { seconds: BigInt(seconds), nanos });
}

function durationOf(text: string): Message | undefined {
  const found = DURATION.exec(text);
  if (found === null) return undefined;
  const [, sign = '', digits, fraction] = found;
  if (digits === undefined && fraction === undefined) return undefined;
  const seconds = Number(digits ?? 0);
  if (seconds > DURATION_SECONDS_MAX) return undefined;
  const nanos = Number((fraction ?? '').padEnd(9, '0'));
  const direction = sign === '-' ? -1 : 1;
  // Not -0, which is no whole number.
  return create(DurationSchema, {
    seconds: BigInt(direction * seconds),
    nanos: direction * nanos || 0,
  });
}

function maskOf(paths: readonly string[]): Message | undefined {
  return paths.every((path) => PATH.test(path))
    ? create(FieldMaskSchema, { paths: [...paths] })
    : undefined;
}

function inSnakeCase(path: string): string {
  return path.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function maskOfJson(text: string): Message | undefined {
  const paths = text.trim() === '' ? [] : text.trim().split(',');
  return text.includes('_') ? undefined : maskOf(paths.map(inSnakeCase));
}

/** Paths by the names of the proto, too: a query has no other way to be read in snake_case. */
function maskOfText(text: string): Message | undefined {
  return maskOf(text === '' ? [] : text.split(',').map(inSnakeCase));
}

const FREE_FORM = /^google\.protobuf\.(Value|ListValue|Struct)$/;

/** True when a google.protobuf.Value takes more messages within messages than there is room for. */
function isDeeper(json: Json, room: number): boolean {
  if (room < 1) return true;
  if (typeof json !== 'object' || json === null || json instanceof LongNumber) return false;
  // Its own message, and the one of its list or object.
  return room < 2 || Object.values(json).some((value) => isDeeper(value, room - 2));
}

/** True when the JSON of a message of google.protobuf nests deeper than there is room for. */
export function isTooDeep(message: DescMessage, json: Json, room: number): boolean {
  if (!FREE_FORM.test(message.typeName)) return room < 1;
  return isDeeper(json, message.typeName.endsWith('.Value') ? room : room + 1);
}

/** The JSON as the library takes it; undefined when a string or number in it is none of protobuf's. */
function plain(json: Json): JsonValue | undefined {
  if (json instanceof LongNumber) return plain(Number(json.text));
  if (typeof json === 'number') return Number.isFinite(json) ? json : undefined;
  if (typeof json === 'string') return json.isWellFormed() ? json : undefined;
  if (json === null || typeof json === 'boolean') return json;
  if (Array.isArray(json)) {
    const items = json.map(plain);
    return items.includes(undefined) ? undefined : (items as JsonValue[]);
  }
  const members = Object.entries(json).map(([key, value]) => [key, plain(value)] as const);
  const isPlain = members.every(([key, value]) => key.isWellFormed() && value !== undefined);
  return isPlain ? (Object.fromEntries(members) as JsonValue) : undefined;
}

function freeForm(message: DescMessage, json: Json): Message | undefined {
  const value = plain(json);
  if (value === undefined) return undefined;
  try {
    return fromJson(message, value, { ignoreUnknownFields: true });
  } catch {
    return undefined;
  }
}

/** Such a message from its JSON; undefined when the JSON is of another type. */
export function wellKnownFromJson(message: DescMessage, json: Json): Message | undefined {
  switch (message.typeName) {
    case 'google.protobuf.Timestamp':
      return typeof json === 'string' ? timestampOf(json) : undefined;
    case 'google.protobuf.Duration':
      return typeof json === 'string' ? durationOf(json) : undefined;
    case 'google.protobuf.FieldMask':
      return typeof json === 'string' ? maskOfJson(json) : undefined;
    default:
      return freeForm(message, json);
  }
}

function parsed(text: string): Json | undefined {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

/**
 * Such a message from a path or query; undefined for a text, or a type, that cannot be read so.
 * @param room how many messages within messages it may be
 */
export function wellKnownFromText(
  message: DescMessage,
  text: string,
  room: number,
): Message | undefined {
  switch (message.typeName) {
    case 'google.protobuf.Timestamp':
      return timestampOf(text);
    case 'google.protobuf.Duration':
      return durationOf(text);
    case 'google.protobuf.FieldMask':
      return maskOfText(text);
    case 'google.protobuf.Struct':
    case 'google.protobuf.Value': {
      const json = parsed(text);
      if (json === undefined || isTooDeep(message, json, room)) return undefined;
      return freeForm(message, json);
    }
    case 'google.protobuf.Empty':
      return text === '' || text === '{}' ? create(message) : undefined;
    default:
      return undefined;
  }
}
