/** What no input may bring about: in an answer, or in the log. */
import net from 'node:net';
import { fromBinary } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { Code } from '../../src/domain/errors.ts';
import { ErrorInfoSchema } from '../../src/gen/google/rpc/error_details_pb.js';
import { StatusSchema } from '../../src/gen/google/rpc/status_pb.js';
import type { Answer } from './answer.ts';

/** The HTTP statuses that go with each gRPC code, by the code's number. */
const HTTP_STATUSES: readonly (readonly number[])[] = [
  [200],
  [499],
  [500],
  [400],
  [504],
  [404],
  [409],
  [403],
  [429, 413],
  [400],
  [409],
  [400],
  [501, 405, 415],
  [500],
  [503],
  [500],
  [401],
];

const FLAG_TRAILERS = 0x80;

/** What is wrong with an answer, if anything. Answers that broke off are for the caller to judge. */
export function flawOfAnswer(answer: Answer, verb: string): string | undefined {
  const { status, headers, isWhole } = answer;
  if (status === 500) return `HTTP 500: ${answer.body.subarray(0, 500)}`;
  if (!isWhole) return undefined;
  const type = headers['content-type'] ?? '';
  if (type.startsWith('application/grpc')) return flawOfGrpc(answer, type);
  if (status < 400) return type === 'application/json' ? flawOfJson(answer, verb) : undefined;
  if (headers['x-request-id'] === undefined) return `${status} without x-request-id`;
  if (type !== 'application/json') return `${status} of type ${type}`;
  return verb === 'HEAD' ? undefined : flawOfStatus(answer);
}

function flawOfJson({ body }: Answer, verb: string): string | undefined {
  if (verb === 'HEAD') return undefined;
  try {
    JSON.parse(body.toString());
    return undefined;
  } catch {
    return `200 with a body that is no JSON: ${body.subarray(0, 200)}`;
  }
}

/** An error's body must be a google.rpc.Status of a code that belongs to its HTTP status. */
function flawOfStatus({ status, body }: Answer): string | undefined {
  const flaw = `${status} with a body that is no google.rpc.Status: ${body.subarray(0, 200)}`;
  try {
    const { code, message, details, ...rest } = JSON.parse(body.toString());
    const isStatus =
      typeof message === 'string' && Array.isArray(details) && Object.keys(rest).length === 0;
    if (!isStatus) return flaw;
    if (!HTTP_STATUSES[code]?.includes(status)) return `HTTP ${status} with code ${code}`;
    return undefined;
  } catch {
    return flaw;
  }
}

/** gRPC's status comes after the messages, with the head where there are none, or in the body. */
function flawOfGrpc({ status, headers, trailers, body }: Answer, type: string): string | undefined {
  if (status !== 200) return `gRPC with HTTP ${status}`;
  const isWeb = type.startsWith('application/grpc-web');
  let fields: Readonly<Record<string, string>> = { ...headers, ...trailers };
  try {
    if (isWeb) fields = webTrailers(body);
    else checkFrames(body, headers['grpc-encoding'] === 'gzip' ? 1 : 0);
  } catch (error) {
    return (error as Error).message;
  }
  const code = fields['grpc-status'];
  if (code === undefined) return 'gRPC without grpc-status';
  if (Number(code) === Code.UNKNOWN) return 'gRPC status UNKNOWN';
  if (Number(code) !== Code.INTERNAL) return undefined;
  const reason = reasonIn(fields['grpc-status-details-bin'] ?? '');
  // gRPC's own choice of a code for a fault that is the caller's.
  return reason === 'COMPRESSION_UNDECLARED' ? undefined : `gRPC status INTERNAL, reason ${reason}`;
}

/** Cuts a body into frames. Throws when it is none. */
function* framesOf(body: Buffer): Iterable<{ flags: number; data: Buffer }> {
  let at = 0;
  while (at < body.length) {
    if (body.length < at + 5) throw new Error('an answer ends inside a gRPC frame');
    const end = at + 5 + body.readUInt32BE(at + 1);
    if (body.length < end) throw new Error('an answer ends inside a gRPC message');
    yield { flags: body[at] ?? 0, data: body.subarray(at + 5, end) };
    at = end;
  }
}

function checkFrames(body: Buffer, flagsMax: number): void {
  for (const { flags } of framesOf(body)) {
    if (flags > flagsMax) throw new Error(`an answer with flags ${flags}`);
  }
}

function webTrailers(body: Buffer): Record<string, string> {
  const last = [...framesOf(body)].at(-1);
  if (last?.flags !== FLAG_TRAILERS) throw new Error('gRPC-Web without trailers');
  const lines = last.data.toString('latin1').split('\r\n');
  return Object.fromEntries(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(': ');
      return [line.slice(0, colon), line.slice(colon + 2)];
    }),
  );
}

function reasonIn(details: string): string | undefined {
  const status = fromBinary(StatusSchema, Buffer.from(details, 'base64'));
  return status.details.map((any) => anyUnpack(any, ErrorInfoSchema)?.reason).find(Boolean);
}

/** Levels of pino from which on a line tells of a fault of ours. */
const ERROR_LEVEL = 50;

/** What is wrong with a line of the log, if anything. */
export function flawOfLine(text: string): string | undefined {
  try {
    const line = JSON.parse(text) as Record<string, unknown>;
    if (Number(line.level) >= ERROR_LEVEL) return `logged as an error: ${text.slice(0, 2000)}`;
    if (typeof line.requestId !== 'string' || line.requestId === '') {
      return `logged without a request id: ${text.slice(0, 2000)}`;
    }
    // A peer that is gone at once has none.
    const isAddress = line.remote === '' || net.isIP(String(line.remote)) !== 0;
    const isTrace = line.traceId === undefined || /^[0-9a-f]{32}$/.test(String(line.traceId));
    return isAddress && isTrace ? undefined : `logged what was made up: ${text.slice(0, 2000)}`;
  } catch {
    return `not a line of the log: ${text.slice(0, 2000)}`;
  }
}
