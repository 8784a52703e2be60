/** `propusk status`: how the server is, and who asks. */
import type { Command } from 'commander';
import {
  type GetStatusResponse,
  GetStatusResponseSchema,
  StatusService,
} from '../src/gen/propusk/admin/v1/status_service_pb.js';
import { addCommand } from './command.ts';
import { nameOf } from './connection.ts';
import { showRole } from './operator.ts';
import { showInstant } from './resource.ts';
import type { Surroundings } from './surroundings.ts';
import type { Column } from './table.ts';

const COLUMNS: readonly Column<GetStatusResponse>[] = [
  ['VERSION', ({ version }) => version],
  ['MODE', ({ mode }) => mode],
  ['STARTED', ({ startedAt }) => showInstant(startedAt)],
  ['CLOCK', ({ now }) => showInstant(now)],
  ['OPERATOR', ({ operator }) => operator?.id ?? ''],
  ['ROLE', ({ operator }) => showRole(operator?.role ?? 0)],
  ['TOKEN UNTIL', ({ operator }) => showInstant(operator?.expiresAt)],
];

export function addStatus(program: Command, around: Surroundings): void {
  addCommand(program, around, {
    usage: 'status',
    summary: 'tell how the server is, and who asks; exit code 6 where it cannot be reached',
    examples: ['propusk status'],
    asksAdmin: true,
    run: async ({ admin, connection, output }) => {
      const server = nameOf(connection.server);
      const status = await (await admin()).call(StatusService.method.getStatus, {});
      output.one(GetStatusResponseSchema, status, [['SERVER', () => server], ...COLUMNS]);
    },
  });
}
