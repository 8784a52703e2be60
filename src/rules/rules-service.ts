/**
 * Rules as a service whose methods have their routes and options, as if they had been written in a
 * proto file: so whatever reads the contract reads them too.
 */
import {
  create,
  createFileRegistry,
  type DescService,
  type MessageInitShape,
  setExtension,
} from '@bufbuild/protobuf';
import {
  type DescriptorProtoSchema,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
  file_google_protobuf_empty,
  MethodOptionsSchema,
} from '@bufbuild/protobuf/wkt';
import { parsePathTemplate } from '../domain/path-template.ts';
import { http } from '../gen/google/api/annotations_pb.js';
import { type HttpRule, HttpRuleSchema } from '../gen/google/api/http_pb.js';
import {
  Access,
  Caller,
  MethodContractSchema,
  method as methodContract,
} from '../gen/propusk/contract/v1/contract_pb.js';
import { type Requirement, type Rule, shapeOf } from './rule.ts';

const PACKAGE = 'propusk.rules';
const SERVICE = 'RulesService';

const ACCESS: Readonly<Record<Requirement, Access>> = {
  nothing: Access.UNSPECIFIED,
  token: Access.UNSPECIFIED,
  account: Access.ACCOUNT,
  trade: Access.TRADE,
  market_data: Access.MARKET_DATA,
};

/** Makes the service of rules that nothing is wrong with. */
export function rulesService(rules: readonly Rule[]): DescService {
  const ofHead = rules.filter(({ verbs }) => verbs.includes('HEAD'));
  const headShapes = new Set(ofHead.map(({ path }) => shapeOf(path)));
  const file = create(FileDescriptorProtoSchema, {
    name: 'propusk/rules.proto',
    package: PACKAGE,
    syntax: 'proto3',
    dependency: ['google/protobuf/empty.proto'],
    messageType: rules.map(messageOf),
    service: [{ name: SERVICE, method: rules.map((rule) => methodOf(rule, headShapes)) }],
  });
  const registry = createFileRegistry(file, () => file_google_protobuf_empty.proto);
  const service = registry.getService(`${PACKAGE}.${SERVICE}`);
  if (service === undefined) throw new Error('the service of the rules was not made');
  return service;
}

function nameOfMessage({ name }: Rule): string {
  return `${name}Route`;
}

/** A field for each variable of the path. */
function messageOf(rule: Rule): MessageInitShape<typeof DescriptorProtoSchema> {
  const field = parsePathTemplate(rule.path).variables.map(({ fieldPath }, i) => ({
    name: fieldPath,
    number: i + 1,
    type: FieldDescriptorProto_Type.STRING,
    label: FieldDescriptorProto_Label.OPTIONAL,
  }));
  return { name: nameOfMessage(rule), field };
}

function methodOf(rule: Rule, headShapes: ReadonlySet<string>) {
  const options = create(MethodOptionsSchema);
  // To most programs HEAD is a GET: it must not fall to a rule for any verb that asks for less.
  const isHead = rule.verbs.includes('GET') && !headShapes.has(shapeOf(rule.path));
  const verbs = isHead ? [...rule.verbs, 'HEAD'] : rule.verbs;
  setExtension(options, http, httpRuleOf(verbs, rule.path));
  const { requires, quoteLevel, callsPerMinute } = rule;
  const caller = requires === 'nothing' ? Caller.UNSPECIFIED : Caller.AUTHORIZATION;
  const contract = { caller, access: ACCESS[requires], quoteLevel, callsPerMinute };
  setExtension(options, methodContract, create(MethodContractSchema, contract));
  const inputType = `.${PACKAGE}.${nameOfMessage(rule)}`;
  return { name: rule.name, inputType, outputType: '.google.protobuf.Empty', options };
}

function httpRuleOf(verbs: readonly string[], path: string): HttpRule {
  const [first, ...others] = verbs.map((kind) =>
    create(HttpRuleSchema, { pattern: { case: 'custom', value: { kind, path } } }),
  );
  if (first === undefined) throw new Error('a rule has no verb');
  first.additionalBindings.push(...others);
  return first;
}
