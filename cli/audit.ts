/** `propusk audit`: who did what, when, from where. What checks the trail itself runs on the server. */
import type { JsonObject } from '@bufbuild/protobuf';
import { type Command, Option } from 'commander';
import { AuditEntrySchema, AuditService } from '../src/gen/propusk/admin/v1/audit_service_pb.js';
import { addNoun } from './command.ts';
import { addList, instantOf, optional, type Resource, showInstant } from './resource.ts';
import type { Surroundings } from './surroundings.ts';

/** Characters of an entry's detail that people see; programs see all of it. */
const DETAIL_SHOWN_MAX = 100;

function summaryOf(detail: JsonObject | undefined): string {
  const text = detail === undefined ? '' : JSON.stringify(detail);
  return text.length > DETAIL_SHOWN_MAX ? `${text.slice(0, DETAIL_SHOWN_MAX)}…` : text;
}

export function addAudit(program: Command, around: Surroundings): void {
  const resource: Resource<typeof AuditEntrySchema> = {
    noun: addNoun(program, 'audit', 'who did what, when, from where'),
    around,
    schema: AuditEntrySchema,
    columns: [
      ['SEQUENCE', ({ sequence }) => String(sequence)],
      ['AT', ({ at }) => showInstant(at)],
      ['ACTOR', ({ actor }) => actor],
      ['ACTION', ({ action }) => action],
      ['TARGET', ({ target }) => target],
      ['FROM', ({ remoteAddress }) => remoteAddress],
      ['DETAIL', ({ detail }) => summaryOf(detail)],
    ],
    example: '',
  };
  const list = {
    summary: 'list what was done, the newest first',
    examples: [
      'propusk audit list --limit 20',
      'propusk audit list --action key. --since 2027-01-01 --output json',
    ],
    options: [
      new Option('--actor <actor>', 'what this one did only, such as operator:anna'),
      new Option('--action <action>', 'this only, such as key.revoke; key. is all of keys'),
      new Option('--target <target>', 'what was done to this only, such as key:acme-bot'),
      new Option('--since <instant>', 'from this instant on'),
      new Option('--until <instant>', 'before this instant'),
    ],
  };
  addList(resource, list, async (api, page, call) => {
    const { flags } = call;
    const answer = await api.call(AuditService.method.listAuditEntries, {
      ...page,
      ...optional('actor', flags.text('actor')),
      ...optional('action', flags.text('action')),
      ...optional('target', flags.text('target')),
      ...optional('since', instantOf(call, 'since')),
      ...optional('until', instantOf(call, 'until')),
    });
    return { rows: answer.entries, nextPageToken: answer.nextPageToken };
  });
}
