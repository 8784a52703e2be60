/**
 * The JSON of most answers, by functions that are made once of the descriptor: no tree is built of a
 * message before its text. Lists that are frozen, through and through, are the same in many answers:
 * their text is kept as long as they are.
 */
import {
  type DescField,
  type DescMessage,
  type Message,
  ScalarType,
  toJson,
} from '@bufbuild/protobuf';
import {
  type Duration,
  DurationSchema,
  type Timestamp,
  TimestampSchema,
} from '@bufbuild/protobuf/wkt';
import { allWithin, isWellKnown } from './fields.ts';

type Write = (value: never) => string;
type Values = Readonly<Record<string, unknown>>;

/** 9999-12-31T23:59:59Z. */
const SECONDS_MAX = 253_402_300_799;
/** 10,000 years, as a Duration is limited. */
const DURATION_SECONDS_MAX = 315_576_000_000n;
const DAY_SECONDS = 86_400;
/** Letters of a date in RFC 3339. */
const DATE_LENGTH = 10;

/**
 * Dates by the day, in days since 1970, of those written lately: a Date takes a fiftieth of a call, and a
 * token may begin on one day and end on the next.
 */
const dates = new Map<number, string>();
const DATES_MAX = 16;

const writers = new WeakMap<DescMessage, Write | null>();

/**
 * The JSON text of a message, names as in the proto files and zero values printed; undefined where
 * something in messages of this kind is left to the library.
 */
export function writeJson(desc: DescMessage, message: Message): string | undefined {
  let write = writers.get(desc);
  if (write === undefined) {
    write = isSimple(desc) ? writerOf(desc) : null;
    writers.set(desc, write);
  }
  return write?.(message as never);
}

/** True where all that messages of this kind may hold is written here. */
function isSimple(desc: DescMessage): boolean {
  return allWithin(desc).every(
    (one) => WELL_KNOWN.has(one.typeName) || (!isWellKnown(one) && one.fields.every(isSimpleField)),
  );
}

function isSimpleField({ fieldKind, scalar, proto, enum: named }: DescField): boolean {
  if (fieldKind === 'map' || proto.proto3Optional || named?.open === false) return false;
  if (named?.typeName === 'google.protobuf.NullValue') return false;
  const { BYTES, DOUBLE, FLOAT } = ScalarType;
  return scalar !== BYTES && scalar !== DOUBLE && scalar !== FLOAT;
}

function writerOf(desc: DescMessage): Write {
  const known = WELL_KNOWN.get(desc.typeName);
  if (known !== undefined) return known;
  const sorted = desc.fields.toSorted((a, b) => a.number - b.number);
  const fields = sorted.map((field) => ({ name: `"${field.name}":`, write: fieldOf(field) }));
  return (message: Values) => {
    let text = '';
    for (const { name, write } of fields) {
      const value = write(message);
      if (value !== undefined) text += `${text === '' ? '' : ','}${name}${value}`;
    }
    return `{${text}}`;
  };
}

/** Writes a field of a message; undefined where it is not set. */
function fieldOf(field: DescField): (message: Values) => string | undefined {
  const { localName, oneof } = field;
  const write = field.fieldKind === 'list' ? listOf(oneOf(field)) : oneOf(field);
  if (oneof !== undefined) {
    return (message) => {
      const { case: set, value } = message[oneof.localName] as { case?: string; value?: never };
      return set === localName ? write(value as never) : undefined;
    };
  }
  return (message) => {
    const value = message[localName];
    return value === undefined ? undefined : write(value as never);
  };
}

function listOf(write: Write): Write {
  const kept = new WeakMap<readonly never[], string>();
  return (list: readonly never[]) => {
    let text = kept.get(list);
    if (text === undefined) {
      text = `[${list.map(write).join()}]`;
      if (Object.isFrozen(list)) kept.set(list, text);
    }
    return text;
  };
}

function oneOf({ message, enum: named, scalar }: DescField): Write {
  if (message !== undefined) {
    // Not before it is asked for: messages may be in circles.
    return (value: Message) => writeJson(message, value) as string;
  }
  if (named !== undefined) {
    const names = new Map(named.values.map(({ name, number }) => [number, `"${name}"`]));
    return (value: number) => names.get(value) ?? String(value);
  }
  if (scalar === ScalarType.STRING) return JSON.stringify;
  return isLong(scalar) ? (value: bigint) => `"${value}"` : String;
}

/** True for the numbers whose JSON is a string. */
function isLong(scalar: ScalarType | undefined): boolean {
  const { INT64, UINT64, SINT64, FIXED64, SFIXED64 } = ScalarType;
  return [INT64, UINT64, SINT64, FIXED64, SFIXED64].some((long) => long === scalar);
}

/** Whole seconds, fast. */
function writeDuration(duration: Duration): string {
  const { seconds, nanos } = duration;
  const isPlain = nanos === 0 && seconds >= 0n && seconds <= DURATION_SECONDS_MAX;
  return isPlain ? `"${seconds}s"` : JSON.stringify(toJson(DurationSchema, duration));
}

/** Whole seconds since 1970, as those of tokens are, fast. */
function writeTimestamp(timestamp: Timestamp): string {
  const seconds = Number(timestamp.seconds);
  if (timestamp.nanos !== 0 || !(seconds >= 0 && seconds <= SECONDS_MAX)) {
    return JSON.stringify(toJson(TimestampSchema, timestamp));
  }
  const day = Math.floor(seconds / DAY_SECONDS);
  const rest = seconds - day * DAY_SECONDS;
  const [hours, minutes] = [Math.floor(rest / 3600), Math.floor(rest / 60) % 60];
  return `"${dateOf(day)}T${digits(hours)}:${digits(minutes)}:${digits(rest % 60)}Z"`;
}

function dateOf(day: number): string {
  let date = dates.get(day);
  if (date === undefined) {
    if (dates.size === DATES_MAX) dates.clear();
    date = new Date(day * DAY_SECONDS * 1000).toISOString().slice(0, DATE_LENGTH);
    dates.set(day, date);
  }
  return date;
}

function digits(number: number): string {
  return number < 10 ? `0${number}` : String(number);
}

/** Of google.protobuf's messages, those that are written here. */
const WELL_KNOWN: ReadonlyMap<string, Write> = new Map([
  [TimestampSchema.typeName, writeTimestamp as Write],
  [DurationSchema.typeName, writeDuration as Write],
]);
