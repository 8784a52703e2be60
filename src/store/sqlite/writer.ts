/** The worker thread that writes to an SQLite database; see runners.ts for its parent. */
import { parentPort, workerData } from 'node:worker_threads';
import { settle } from '../../settle.ts';
import { WRITES } from '../sql/writes.ts';
import { runBatch } from './batch.ts';
import { openWriter } from './connection.ts';
import type { FromWorker, ToWorker, WriterData } from './runners.ts';

const port = parentPort;
if (port === null) throw new Error('writer.ts runs as a worker thread only');
const say = (message: FromWorker) => port.postMessage(message);

const { path, auditKey } = workerData as WriterData;
const db = openWriter(path);

port.on('message', (message: ToWorker) => {
  if (message.kind === 'batch') {
    say({ kind: 'outcomes', outcomes: runBatch(db, WRITES, message.batch, auditKey) });
  } else {
    db.close();
    port.close();
  }
});
say({ kind: 'ready' });
await settle();
