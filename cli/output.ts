/** What a command tells: a table for people, or JSON or YAML for programs, on standard output. */
import { type DescMessage, type JsonValue, type MessageShape, toJson } from '@bufbuild/protobuf';
import { stringify } from 'yaml';
import { type Column, card, painter, table } from './table.ts';

/** What `--output` takes. */
export const FORMATS = ['table', 'json', 'yaml'] as const;
export type Format = (typeof FORMATS)[number];

/** YAML that readers of YAML 1.1 understand as well: `12:30` is quoted, being a number to them. */
export function writeYaml(value: JsonValue): string {
  return stringify(value, { compat: 'yaml-1.1', lineWidth: 0, aliasDuplicateObjects: false });
}

/** A message as programs see it, everywhere the same: names and values of the API's own JSON. */
export function plainOf<D extends DescMessage>(desc: D, message: MessageShape<D>): JsonValue {
  return toJson(desc, message, { alwaysEmitImplicit: true, useProtoFieldName: true });
}

/** Writes results. */
export class Output {
  readonly format: Format;
  readonly #stream: NodeJS.WritableStream;

  constructor(stream: NodeJS.WritableStream, format: Format) {
    this.#stream = stream;
    this.format = format;
  }

  /** All of a list: an array for programs, a line each for people. */
  list<D extends DescMessage>(
    desc: D,
    messages: readonly MessageShape<D>[],
    columns: readonly Column<MessageShape<D>>[],
  ): void {
    const value = () => messages.map((message) => plainOf(desc, message));
    this.rows(value, messages, columns);
  }

  /** Lines that are no messages: `value` for programs, the columns of the rows for people. */
  rows<R>(value: () => JsonValue, rows: readonly R[], columns: readonly Column<R>[]): void {
    if (this.format === 'table') this.#write(table(rows, columns, painter(this.#stream)));
    else this.value(value());
  }

  /** One thing. */
  one<D extends DescMessage>(
    desc: D,
    message: MessageShape<D>,
    columns: readonly Column<MessageShape<D>>[],
  ): void {
    this.record(plainOf(desc, message), message, columns);
  }

  /** One thing that is no message: `value` for programs, the columns of `row` for people. */
  record<R>(value: JsonValue, row: R, columns: readonly Column<R>[]): void {
    if (this.format === 'table') this.#write(card(row, columns, painter(this.#stream)));
    else this.value(value);
  }

  /** Something for programs; in a table's place, YAML. */
  value(value: JsonValue): void {
    const text = this.format === 'json' ? `${JSON.stringify(value, null, 2)}\n` : writeYaml(value);
    this.#write(text);
  }

  /** A sentence for people; programs see nothing of it. */
  say(text: string): void {
    if (this.format === 'table') this.#write(`${text}\n`);
  }

  #write(text: string): void {
    this.#stream.write(text);
  }
}
