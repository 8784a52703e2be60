/** `propusk check`: may the holder of a session token do this? What backends ask once per call. */
import { type Command, Option } from 'commander';
import {
  AccessService,
  Action,
  type CheckResponse,
  CheckResponseSchema,
} from '../src/gen/propusk/access/v1/access_service_pb.js';
import { addCommand } from './command.ts';
import { CommandFailure, Exit } from './failure.ts';
import { readLevel, showLevel } from './permission.ts';
import { optional, showInstant } from './resource.ts';
import { readSecret, type Surroundings } from './surroundings.ts';
import type { Column } from './table.ts';
import { sessionFileOption } from './token.ts';

const COLUMNS: readonly Column<CheckResponse>[] = [
  ['ALLOWED', ({ allowed }) => (allowed ? 'yes' : 'no')],
  ['REFUSED', ({ refusal, message }) => (refusal === '' ? 'no' : `${refusal}: ${message}`)],
  ['CLIENT', ({ clientId }) => clientId],
  ['KEY', ({ keyId }) => keyId],
  ['SESSION', ({ sessionId }) => sessionId],
  ['MAY', ({ sessionId, readonly }) => (sessionId === '' ? '' : readonly ? 'read' : 'trade')],
  ['SEES', ({ quoteLevel: level, delayMinutes }) => (level ? showLevel(level, delayMinutes) : '')],
  ['EXPIRES', ({ expiresAt }) => (expiresAt === undefined ? '' : showInstant(expiresAt))],
];

export function addCheck(program: Command, around: Surroundings): void {
  addCommand(program, around, {
    usage: 'check',
    summary: 'ask whether the holder of a session token may do something; exits with 9 if not',
    examples: [
      'propusk check --account 1899011 --trade --session-file my.token',
      'echo "$TOKEN" | propusk check --mic \'#RBRD\' --level DEPTH_OF_MARKET',
    ],
    options: [
      sessionFileOption(),
      new Option('--account <id>', 'the account that it is about'),
      new Option('--trade', 'to change something, such as to place an order; else to read'),
      new Option('--mic <mic>', 'the market whose data is to be seen'),
      new Option('--level <level>', 'the least quote level at which it is to be seen'),
    ],
    asksAdmin: true,
    run: async ({ admin, flags, output }) => {
      const level = flags.text('level');
      const input = {
        ...optional('accountId', flags.text('account')),
        ...optional('mic', flags.text('mic')),
        ...(level !== undefined && { quoteLevel: readLevel(level) }),
        action: flags.isOn('trade') ? Action.TRADE : Action.READ,
        token: await readSecret(around, flags.text('sessionFile'), 'the session token'),
      };
      const answer = await (await admin()).call(AccessService.method.check, input);
      output.one(CheckResponseSchema, answer, COLUMNS);
      const { allowed, refusal: reason, message } = answer;
      if (allowed) return;
      throw new CommandFailure(Exit.NOT_ALLOWED, `not allowed: ${message} (${reason})`, { reason });
    },
  });
}
