import * as dynamodb from '@aws-sdk/client-dynamodb';
import * as kms from '@aws-sdk/client-kms';
import { expect, test } from 'vitest';
import { blocksOf } from '../support/documents.ts';

/*
 * The lines of docs/how-to/regions.md for the AWS CLI and for Terraform, checked against the models of the services: each
 * parameter must be one that the API has.
 */

const blocks = blocksOf('docs/how-to/regions.md');

/** A structure of a model: the names of its members, and their shapes. A list or a map has one shape. */
type Shape = readonly unknown[] | number | (() => Shape);
type Service = 'dynamodb' | 'kms';

function resolve(shape: unknown): readonly unknown[] | undefined {
  const resolved: unknown = typeof shape === 'function' ? (shape as () => unknown)() : shape;
  return Array.isArray(resolved) ? resolved : undefined;
}

/** The shape of a member, whatever the case of its name and whether it is in a list; undefined if there is none. */
function member(shape: unknown, name: string): unknown {
  const resolved = resolve(shape);
  // https://smithy.io/2.0/spec/model.html: a list and a structure, in the form of the SDK's schemas.
  if (resolved?.[0] === 1) return member(resolved[4], name);
  const [names, shapes] = [resolved?.[4], resolved?.[5]] as [unknown, unknown];
  if (!Array.isArray(names) || !Array.isArray(shapes)) return undefined;
  const at = names.findIndex((each) => String(each).toLowerCase() === name.toLowerCase());
  return at === -1 ? undefined : (shapes[at] as unknown);
}

/** The input of an operation: `UpdateTable`. */
function inputOf(service: Service, operation: string): Shape {
  const commands = (service === 'kms' ? kms : dynamodb) as unknown as Readonly<
    Record<string, (new (input: object) => { schema: readonly unknown[] }) | undefined>
  >;
  const Command = commands[`${operation}Command`];
  if (!Command) throw new Error(`${service} has no operation ${operation}`);
  return new Command({}).schema[4] as Shape;
}

function pascal(words: string): string {
  return words.replace(/(?:^|[-_])(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** The parameters of the AWS CLI that are not the API's. */
const GLOBAL = ['region', 'query', 'output'];

function checkCommand(line: string): void {
  const words = line.match(/'[^']*'|"[^"]*"|\$\([^)]*\)|\S+/g) ?? [];
  const [, service, operation = '', ...rest] = words;
  if (operation === 'wait') {
    // https://docs.aws.amazon.com/cli/latest/reference/dynamodb/wait/table-exists.html
    expect(rest[0]).toBe('table-exists');
    expect(`waitUntil${pascal(rest[0] ?? '')}` in dynamodb).toBe(true);
    rest.shift();
  }
  const input = inputOf(
    service as Service,
    operation === 'wait' ? 'DescribeTable' : pascal(operation),
  );
  rest.forEach((word, i) => {
    if (!word.startsWith('--') || GLOBAL.includes(word.slice(2))) return;
    const shape = member(input, word.slice(2).replaceAll('-', ''));
    expect(shape, `${word} of ${operation}`).toBeDefined();
    const value = (rest[i + 1] ?? '').replace(/^'(.*)'$/, '$1');
    if (!value.startsWith('--') && value.includes('=')) checkShorthand(shape, value, word);
  });
}

/** `A=b,C=d` and `A={B=c}`, as the AWS CLI takes structures. */
function checkShorthand(shape: unknown, value: string, where: string): void {
  for (const [, name = '', inner] of value.matchAll(/(\w+)=(?:\{([^}]*)\}|[^,{}]*)/g)) {
    const next = member(shape, name);
    expect(next, `${name} in ${where}`).toBeDefined();
    if (inner !== undefined) checkShorthand(next, inner, `${where} ${name}`);
  }
}

test('each parameter of the AWS CLI exists', () => {
  const lines = blocks
    .filter(({ language }) => language === 'sh')
    .flatMap(({ text }) => text.replace(/\\\n\s*/g, ' ').split('\n'))
    .flatMap((line) => /\baws (?:kms|dynamodb) [^)]*/.exec(line) ?? []);
  expect(lines.length).toBeGreaterThan(7);
  for (const line of lines) checkCommand(line);
});

test('an operation, a parameter or a member that does not exist is found', () => {
  expect(() => {
    checkCommand('aws kms replicate-keys --key-id x');
  }).toThrow('no operation');
  expect(() => {
    checkCommand('aws kms replicate-key --replica-regions x');
  }).toThrow('--replica-regions of replicate-key');
  expect(() => {
    checkCommand("aws dynamodb update-table --replica-updates 'Create={Region=x}'");
  }).toThrow('Region in --replica-updates Create');
});

/** What an argument of Terraform stands for: a path of members from the input of an operation. */
const ARGUMENTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  aws_kms_key: {
    description: 'kms CreateKey Description',
    multi_region: 'kms CreateKey MultiRegion',
    enable_key_rotation: 'kms EnableKeyRotation KeyId',
  },
  aws_kms_alias: {
    name: 'kms CreateAlias AliasName',
    target_key_id: 'kms CreateAlias TargetKeyId',
  },
  aws_kms_replica_key: {
    description: 'kms ReplicateKey Description',
    primary_key_arn: 'kms ReplicateKey KeyId',
  },
  aws_dynamodb_table: {
    name: 'dynamodb CreateTable TableName',
    billing_mode: 'dynamodb CreateTable BillingMode',
    hash_key: 'dynamodb CreateTable KeySchema AttributeName',
    range_key: 'dynamodb CreateTable KeySchema AttributeName',
    stream_enabled: 'dynamodb CreateTable StreamSpecification StreamEnabled',
    stream_view_type: 'dynamodb CreateTable StreamSpecification StreamViewType',
    deletion_protection_enabled: 'dynamodb CreateTable DeletionProtectionEnabled',
    'attribute.name': 'dynamodb CreateTable AttributeDefinitions AttributeName',
    'attribute.type': 'dynamodb CreateTable AttributeDefinitions AttributeType',
    'point_in_time_recovery.enabled':
      'dynamodb UpdateContinuousBackups PointInTimeRecoverySpecification PointInTimeRecoveryEnabled',
    'replica.region_name': 'dynamodb UpdateTable ReplicaUpdates Create RegionName',
    'replica.point_in_time_recovery':
      'dynamodb UpdateContinuousBackups PointInTimeRecoverySpecification PointInTimeRecoveryEnabled',
  },
};

test('each argument of Terraform stands for a parameter that exists', () => {
  const [hcl] = blocks.filter(({ language }) => language === 'hcl');
  let resource: string | undefined;
  let inner: string | undefined;
  const found = new Set<string>();
  for (const line of (hcl?.text ?? '').split('\n')) {
    const [, kind] = /^resource "(\w+)"/.exec(line) ?? [];
    if (kind !== undefined) resource = kind;
    if (line.startsWith('provider ')) resource = undefined;
    const [, block] = /^ {2}(\w+) \{$/.exec(line) ?? [];
    if (block !== undefined) inner = block;
    if (line === '  }') inner = undefined;
    const [, name] = /^ +(\w+) += /.exec(line) ?? [];
    if (resource === undefined || name === undefined || name === 'provider') continue;
    const path = ARGUMENTS[resource]?.[inner === undefined ? name : `${inner}.${name}`];
    expect(path, `${resource} ${inner ?? ''} ${name}`).toBeDefined();
    found.add(`${resource} ${name}`);
    const [service, operation = '', ...members] = (path ?? '').split(' ');
    let shape: unknown = inputOf(service as Service, operation);
    for (const each of members) {
      shape = member(shape, each);
      expect(shape, `${each} of ${path ?? ''}`).toBeDefined();
    }
  }
  expect(found.size).toBeGreaterThan(14);
});
