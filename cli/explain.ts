/** `propusk explain`: which permissions decide what a key sees of an exchange, and why. */
import { type Command, Option } from 'commander';
import {
  type ExplainedPermission,
  ExplainResponseSchema,
  ExplainService,
} from '../src/gen/propusk/admin/v1/explain_service_pb.js';
import { addCommand } from './command.ts';
import { unusable } from './failure.ts';
import { plainOf } from './output.ts';
import { showPermission } from './permission.ts';
import { readSecret, type Surroundings } from './surroundings.ts';
import { type Column, card } from './table.ts';
import { sessionFileOption } from './token.ts';

const COLUMNS: readonly Column<ExplainedPermission>[] = [
  ['DECIDES', ({ decides }) => (decides ? 'yes' : 'no')],
  ['PERMISSION', ({ permission }) => (permission === undefined ? '' : showPermission(permission))],
  ['PLAN', ({ planId }) => planId],
  ['SUBSCRIPTION', ({ subscriptionId }) => subscriptionId],
  ['WHY', ({ reason }) => reason],
];

export function addExplain(program: Command, around: Surroundings): void {
  addCommand(program, around, {
    usage: 'explain <mic>',
    summary: 'tell which permissions decide what a key or a token sees of an exchange, and why',
    examples: [
      'propusk explain XNAS --key acme-bot',
      "propusk explain '#RBRD' --session-file my.token",
    ],
    options: [
      new Option('--key <id>', 'of the key with this id').conflicts('sessionFile'),
      sessionFileOption('of the key behind this session token; - is standard input'),
    ],
    asksAdmin: true,
    run: async ({ admin, flags, output }, mic = '') => {
      const [keyId, file] = [flags.text('key'), flags.text('sessionFile')];
      if (keyId === undefined && file === undefined) {
        throw unusable('whose permissions? give --key or --session-file');
      }
      const subject =
        keyId === undefined
          ? { case: 'token' as const, value: await readSecret(around, file, 'the session token') }
          : { case: 'keyId' as const, value: keyId };
      const answer = await (await admin()).call(ExplainService.method.explain, { subject, mic });
      if (output.format === 'table') {
        const head: Column<typeof answer>[] = [
          ['KEY', (each) => each.keyId],
          ['CLIENT', (each) => each.clientId],
          [
            'EXCHANGE',
            (each) => [each.mic, each.country, each.continent].filter(Boolean).join(', '),
          ],
          ['REFUSED', (each) => each.refusal || 'no'],
        ];
        output.say(card(answer, head, (text) => text));
        if (answer.permissions.length === 0) output.say('No permission applies.');
        if (answer.permissions.length === 0) return;
      }
      output.rows(() => plainOf(ExplainResponseSchema, answer), answer.permissions, COLUMNS);
    },
  });
}
