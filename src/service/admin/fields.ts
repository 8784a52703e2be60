/** What is wrong with the fields of a request, all of it at once. */
import type { Timestamp } from '@bufbuild/protobuf/wkt';
import { type FieldViolation, refuseFields } from '../../domain/errors.ts';

/** Characters of a name or a label at most. */
const TEXT_CHARS_MAX = 256;
/** Neither a flag on a command line nor a part of a path that leads elsewhere. */
const ID = /^\w[\w.:-]{0,63}$/;
const ID_FORM = 'is not 1 to 64 letters, digits or ._:-, a letter, a digit or _ first';
/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z, the ends of google.protobuf.Timestamp. */
const SECONDS_MIN = -62_135_596_800n;
const SECONDS_MAX = 253_402_300_799n;

/** Reads fields, and notes what is wrong with them. */
export class Fields {
  readonly #violations: FieldViolation[] = [];
  readonly #prefix: string;

  /** @param prefix of the names that are told, such as `key.` */
  constructor(prefix = '') {
    this.#prefix = prefix;
  }

  /** Notes what is wrong: the rest of a sentence that begins with the field's name. */
  refuse(field: string, description: string): void {
    this.#violations.push({ field: this.#prefix + field, description });
  }

  /** An id, of this resource or of another. */
  id(field: string, value: string): string {
    if (!ID.test(value)) this.refuse(field, ID_FORM);
    return value;
  }

  /** The id of a filter; undefined where it is empty. */
  filter(field: string, value: string): string | undefined {
    return value === '' ? undefined : this.id(field, value);
  }

  /** What people read. */
  text(field: string, value: string): string {
    const isLong = value.length > TEXT_CHARS_MAX && [...value].length > TEXT_CHARS_MAX;
    if (isLong) this.refuse(field, `has more than ${TEXT_CHARS_MAX} characters`);
    else if (/\p{Cc}/u.test(value)) this.refuse(field, 'holds control characters');
    return value;
  }

  /** Milliseconds of an instant; null where it is not set. Parts of a millisecond are cut off. */
  instant(field: string, value: Timestamp | undefined): number | null {
    if (value === undefined) return null;
    const { seconds, nanos } = value;
    if (seconds < SECONDS_MIN || seconds > SECONDS_MAX || nanos < 0 || nanos > 999_999_999) {
      this.refuse(field, 'is not an instant from the year 1 to 9999');
      return null;
    }
    return Number(seconds) * 1000 + Math.floor(nanos / 1_000_000);
  }

  /**
   * Refuses the request for what was noted.
   * @throws AppError INVALID_REQUEST
   */
  check(): void {
    if (this.#violations.length > 0) throw refuseFields(this.#violations);
  }
}
