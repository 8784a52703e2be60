/** `propusk usage`: how much of their limits keys have used. */
import type { Command } from 'commander';
import {
  type MethodUsage,
  UsageSchema,
  UsageService,
} from '../src/gen/propusk/admin/v1/usage_service_pb.js';
import { addCommand, addNoun } from './command.ts';
import { plainOf } from './output.ts';
import { clientOption, limitOption, optional, readPages, showInstant } from './resource.ts';
import type { Surroundings } from './surroundings.ts';
import type { Column } from './table.ts';

const COLUMNS: readonly Column<MethodUsage & { keyId: string }>[] = [
  ['KEY', ({ keyId }) => keyId],
  ['METHOD', ({ method }) => method],
  ['LIMIT', ({ limit }) => String(limit)],
  ['REMAINING', ({ remaining }) => String(remaining)],
  ['RESET', ({ resetAt }) => showInstant(resetAt)],
];

export function addUsage(program: Command, around: Surroundings): void {
  const noun = addNoun(program, 'usage', 'how much of their limits keys have used');

  addCommand(noun, around, {
    usage: 'get <key>',
    summary: 'show what a key has used, method by method',
    examples: ['propusk usage get acme-bot'],
    asksAdmin: true,
    run: async ({ admin, output }, keyId = '') => {
      const usage = await (await admin()).call(UsageService.method.getUsage, { keyId });
      const rows = usage.methods.map((method) => ({ ...method, keyId: usage.keyId }));
      output.rows(() => plainOf(UsageSchema, usage), rows, COLUMNS);
    },
  });

  addCommand(noun, around, {
    usage: 'list',
    summary: 'list what keys have used; people see the methods that were called',
    examples: ['propusk usage list --client acme'],
    options: [clientOption('keys of this client only'), limitOption()],
    asksAdmin: true,
    run: async ({ admin, flags, output }) => {
      const api = await admin();
      const filter = optional('clientId', flags.text('client'));
      const found = await readPages(flags.number('limit', 1), async (page) => {
        const { usage, nextPageToken } = await api.call(UsageService.method.listUsage, {
          ...page,
          ...filter,
        });
        return { rows: usage, nextPageToken };
      });
      const rows = found.flatMap(({ keyId, methods }) =>
        methods
          .filter(({ limit, remaining }) => remaining < limit)
          .map((method) => ({ ...method, keyId })),
      );
      const value = () => found.map((usage) => plainOf(UsageSchema, usage));
      output.rows(value, rows, COLUMNS);
    },
  });
}
