/** `propusk explain`: which permissions decide what a key sees of an exchange, and why. */
import { type Command, Option } from 'commander';
import {
  type ExplainResponse,
  ExplainResponseSchema,
  ExplainService,
  type Finding,
  FindingSchema,
  ExplainResponse_Outcome as Outcome,
  Finding_Verdict as Verdict,
} from '../src/gen/propusk/admin/v1/explain_service_pb.js';
import { addCommand } from './command.ts';
import { unusable } from './failure.ts';
import { showPermission } from './permission.ts';
import { showInstant } from './resource.ts';
import { readSecret, type Surroundings } from './surroundings.ts';
import type { Column } from './table.ts';
import { sessionFileOption } from './token.ts';

/** An enum's name as words: LESS_SPECIFIC is `less specific`. */
function words(name: string | undefined): string {
  return (name ?? '').toLowerCase().replaceAll('_', ' ');
}

const HEAD: readonly Column<ExplainResponse>[] = [
  ['KEY', ({ keyId }) => keyId],
  ['CLIENT', ({ clientId }) => clientId],
  [
    'EXCHANGE',
    ({ mic, country, continent }) => [mic, country, continent].filter(Boolean).join(', '),
  ],
  ['OUTCOME', ({ outcome }) => words(Outcome[outcome])],
  ['SEES', ({ decision }) => decision.map(showPermission).join(' ')],
  ['WHY', ({ why }) => why],
  ['REFUSED', ({ refusal }) => refusal || 'no'],
  ['CHANGES', ({ changesAt }) => (changesAt === undefined ? 'never' : showInstant(changesAt))],
];

const COLUMNS: readonly Column<Finding>[] = [
  ['VERDICT', ({ verdict }) => words(Verdict[verdict])],
  ['PERMISSION', ({ permission }) => (permission === undefined ? '' : showPermission(permission))],
  ['PLAN', ({ planId }) => planId],
  ['SUBSCRIPTION', ({ subscriptionId }) => subscriptionId],
  ['WHY', ({ why }) => why],
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
      output.one(ExplainResponseSchema, answer, HEAD);
      if (output.format !== 'table' || answer.findings.length === 0) return;
      output.say('');
      output.list(FindingSchema, answer.findings, COLUMNS);
    },
  });
}
