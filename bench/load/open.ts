/** Opens the connections of a load. */
import type { Connection, Listener } from './connection.ts';
import { GrpcConnection } from './grpc.ts';
import { Http1Connection } from './http1.ts';
import type { Shape, Target } from './protocol.ts';

/** All of them, ready for calls. */
export async function open(
  target: Target,
  shape: Shape,
  listener: Listener,
  failure: Promise<never>,
): Promise<Connection[]> {
  const connections = Array.from(
    { length: shape.connections },
    (): Connection =>
      target.protocol === 'grpc'
        ? new GrpcConnection(target, listener)
        : new Http1Connection(target, listener),
  );
  await Promise.race([Promise.all(connections.map(({ ready }) => ready)), failure]);
  return connections;
}
