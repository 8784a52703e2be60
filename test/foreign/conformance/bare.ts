/**
 * Takes away what our contract adds to every error and the suite does not expect. It compares the
 * details of errors to the letter, and it takes `application/json` with an error's HTTP status for
 * an error of the Connect protocol, which is not spoken here.
 */
import { fromBinary } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { ErrorInfoSchema } from '../../../src/gen/google/rpc/error_details_pb.js';
import { StatusSchema } from '../../../src/gen/google/rpc/status_pb.js';
import type { Metadata } from '../../../src/pipeline/call.ts';
import { FLAG_TRAILERS, frame } from '../../../src/transport/grpc/frames.ts';
import { type HttpExchange, headerLines } from '../../../src/transport/http.ts';

const DETAILS = 'grpc-status-details-bin';
const PREFIX_BYTES = 5;

/** True for details that an AppError of ours has, and no error that the suite asked for. */
function isOurs(details: string): boolean {
  const status = fromBinary(StatusSchema, Buffer.from(details, 'base64'));
  return status.details.some((detail) => anyUnpack(detail, ErrorInfoSchema)?.domain === 'propusk');
}

function without(headers: Metadata): string[] {
  const kept: string[] = [];
  for (let at = 0; at < headers.length; at += 2) {
    const [name, value] = [headers[at] as string, headers[at + 1] as string];
    if (name === DETAILS && isOurs(value)) continue;
    const isJson = name === 'content-type' && value === 'application/json';
    kept.push(name, isJson ? 'text/json' : value);
  }
  return kept;
}

/** The same part of a body; one that is a frame of trailers, without ours. */
function bareChunk(chunk: Uint8Array): Uint8Array {
  if (chunk[0] !== FLAG_TRAILERS) return chunk;
  const lines = Buffer.from(chunk.subarray(PREFIX_BYTES)).toString().split('\r\n').slice(0, -1);
  const trailers = lines.flatMap((line) => {
    const at = line.indexOf(': ');
    return [line.slice(0, at), line.slice(at + 2)];
  });
  return frame(FLAG_TRAILERS, Buffer.from(headerLines(without(trailers))));
}

/** The same exchange, whose answers carry the suite's own details alone. */
export function bare(exchange: HttpExchange): HttpExchange {
  const { end, send, write } = exchange;
  exchange.end = (trailers = [], last) =>
    end.call(exchange, without(trailers), last && bareChunk(last));
  exchange.send = (status, headers, body) => {
    const bareBody = typeof body === 'string' ? body : bareChunk(body);
    send.call(exchange, status, without(headers), bareBody);
  };
  exchange.write = (chunk) => write.call(exchange, bareChunk(chunk));
  return exchange;
}
