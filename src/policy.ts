import type { Context } from './context.ts';
import { CredstashError } from './errors.ts';
import { parseKey } from './key-name.ts';
import { checkGlob, checkName } from './name.ts';

/*
 * The least IAM policies. Which action takes which resource and which condition key:
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
 * https://docs.aws.amazon.com/kms/latest/developerguide/kms-api-permissions-reference.html
 */

/** Whom a policy is for: who reads secrets, who stores them and cannot read them, who does everything. */
export const ROLES = ['reader', 'writer', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** What a policy is about. */
export interface PolicyPlace {
  /** A name or an ARN. */
  readonly table: string;
  /** An alias, an id, or an ARN of either. */
  readonly key: string;
  /** Of the table. */
  readonly region: string;
  readonly kmsRegion: string;
}

export interface PolicyOptions {
  /** Only secrets whose name matches, with `*` for any run of characters. */
  readonly name?: string | undefined;
  /** Only with these pairs in the encryption context. */
  readonly context?: Context | undefined;
  /** The account's number, for the ARNs; default: any in ARNs, and the caller's own for a key. */
  readonly account?: string | undefined;
}

type Condition = Readonly<Record<string, Readonly<Record<string, string>>>>;

interface Statement {
  readonly Sid: string;
  readonly Effect: 'Allow';
  readonly Action: readonly string[];
  readonly Resource: string | readonly string[];
  readonly Condition?: Condition;
}

/** An IAM policy, as `JSON.stringify` writes it. */
export interface Policy {
  readonly Version: '2012-10-17';
  readonly Statement: readonly Statement[];
}

const ITEMS: Readonly<Record<Role, readonly string[]>> = {
  reader: ['GetItem', 'Query', 'Scan'],
  // Query finds the newest version; GetItem tells a write of its own whose answer was lost from another's.
  writer: ['GetItem', 'Query', 'PutItem'],
  admin: ['GetItem', 'Query', 'Scan', 'PutItem', 'UpdateItem', 'DeleteItem'],
};

const DATA_KEYS: Readonly<Record<Role, readonly string[]>> = {
  reader: ['Decrypt'],
  writer: ['GenerateDataKey'],
  admin: ['Decrypt', 'GenerateDataKey', 'Encrypt', 'ReEncryptFrom', 'ReEncryptTo'],
};

/**
 * The least policy of a role. Makes no request.
 *
 * An admin of some names alone gets nothing of a table or a key: what setup does is not about names.
 *
 * @throws CredstashError USAGE for a name or context that no policy can hold, a key that can be none, or an account that
 *   is no number of 12 digits
 */
export function policyOf(role: Role, place: PolicyPlace, options: PolicyOptions = {}): Policy {
  const { account = '*' } = options;
  if (account !== '*' && !/^\d{12}$/.test(account)) {
    throw new CredstashError('USAGE', 'the account is not a number of 12 digits');
  }
  const names = options.name === undefined ? undefined : namePattern(options.name);
  const table = place.table.startsWith('arn:')
    ? place.table
    : `arn:${partitionOf(place.region)}:dynamodb:${place.region}:${account}:table/${place.table}`;
  const key = keyOf(place, account);
  const statements = [
    allow('Entries', dynamodb(itemsOf(role, names)), table, leadingKeys(names)),
    allow('DataKeys', kms(DATA_KEYS[role]), key.arn, {
      ...key.condition,
      StringEquals: { ...key.condition['StringEquals'], ...contextOf(options.context) },
      ...(names === undefined
        ? {}
        : { StringLike: { 'kms:EncryptionContext:credstash:name': names } }),
    }),
    ...(role === 'admin' && names === undefined ? setup(table, key) : []),
  ];
  return { Version: '2012-10-17', Statement: statements };
}

interface Key {
  readonly partition: string;
  readonly region: string;
  readonly account: string;
  readonly arn: string;
  /** What tells the key from others of that ARN. */
  readonly condition: Condition;
  /** Of the alias, where it is named by one. */
  readonly aliasArn: string | undefined;
}

function keyOf({ key, kmsRegion }: PolicyPlace, account: string): Key {
  const name = parseKey(key);
  if (name.kind === 'arn') {
    const [, partition = '', , region = '', owner = ''] = name.arn.split(':');
    const arn = name.arn;
    return { partition, region, account: owner, arn, condition: {}, aliasArn: undefined };
  }
  const own = { partition: partitionOf(kmsRegion), region: kmsRegion, account };
  const at = name.kind === 'alias' ? (name.at ?? own) : own;
  const prefix = `arn:${at.partition}:kms:${at.region}:${at.account}`;
  // Else a stranger's key would do that has this alias too: a Decrypt does not name its key, the entry does.
  const ownAccount: Condition =
    at.account === '*'
      ? { StringEquals: { 'aws:ResourceAccount': '${aws:PrincipalAccount}' } }
      : {};
  if (name.kind === 'id') {
    return { ...at, arn: `${prefix}:key/${name.id}`, condition: ownAccount, aliasArn: undefined };
  }
  return {
    ...at,
    // The ARN of an alias is one for what is done to the alias, never for the key behind it.
    arn: `${prefix}:key/*`,
    condition: {
      'ForAnyValue:StringEquals': { 'kms:ResourceAliases': name.alias },
      ...ownAccount,
    },
    aliasArn: `${prefix}:${name.alias}`,
  };
}

/** What `setup` and `doctor` do besides. */
function setup(table: string, key: Key): Statement[] {
  const manage = [
    allow(
      'Table',
      dynamodb([
        'CreateTable',
        'TagResource',
        'DescribeTable',
        'UpdateTable',
        'DescribeContinuousBackups',
        'UpdateContinuousBackups',
      ]),
      table,
    ),
    allow(
      'Key',
      kms(['DescribeKey', 'GetKeyRotationStatus', 'EnableKeyRotation']),
      key.arn,
      key.condition,
    ),
  ];
  if (key.aliasArn !== undefined) {
    const anyKey = `arn:${key.partition}:kms:${key.region}:${key.account}:key/*`;
    // No other tag: where access is granted by tags, one more would be a right.
    const tagged = {
      StringEquals: { 'aws:RequestTag/Name': 'credstash' },
      'ForAllValues:StringEquals': { 'aws:TagKeys': 'Name' },
    };
    manage.push(
      // There is no key yet that could be named.
      allow('NewKey', kms(['CreateKey']), '*', tagged),
      allow('NewKeyTags', kms(['TagResource']), anyKey, tagged),
      // A new key has no alias that could tell it from others.
      allow('NewKeyRotation', kms(['EnableKeyRotation']), anyKey),
      allow('Alias', kms(['CreateAlias']), [key.aliasArn, anyKey]),
      // https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-auth-slr.html
      allow(
        'MultiRegionKeys',
        ['iam:CreateServiceLinkedRole'],
        `arn:${key.partition}:iam::${key.account}:role/aws-service-role/mrk.kms.amazonaws.com/AWSServiceRoleForKeyManagementServiceMultiRegionKeys`,
        { StringEquals: { 'iam:AWSServiceName': 'mrk.kms.amazonaws.com' } },
      ),
    );
  }
  return [...manage, allow('Caller', ['sts:GetCallerIdentity'], '*')];
}

function allow(
  Sid: string,
  Action: readonly string[],
  Resource: string | readonly string[],
  condition: Condition = {},
): Statement {
  const given = Object.entries(condition).filter(([, keys]) => Object.keys(keys).length > 0);
  return {
    Sid,
    Effect: 'Allow',
    Action,
    Resource,
    ...(given.length === 0 ? {} : { Condition: Object.fromEntries(given) }),
  };
}

const dynamodb = (actions: readonly string[]): string[] =>
  actions.map((action) => `dynamodb:${action}`);
const kms = (actions: readonly string[]): string[] => actions.map((action) => `kms:${action}`);

/** Scan returns every item, whatever its name. */
function itemsOf(role: Role, names: string | undefined): readonly string[] {
  return names === undefined ? ITEMS[role] : ITEMS[role].filter((action) => action !== 'Scan');
}

function leadingKeys(names: string | undefined): Condition {
  if (names === undefined) return {};
  return {
    'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': names },
    // ForAllValues holds of a request that has none.
    Null: { 'dynamodb:LeadingKeys': 'false' },
  };
}

/** The pattern of StringLike that matches what the glob does. */
function namePattern(glob: string): string {
  if (glob === '') checkName(glob);
  return holdable(checkGlob(glob), 'the name').replace(/[$?]/g, '${$&}');
}

function contextOf(context: Context = {}): Record<string, string> {
  return Object.fromEntries(
    Object.entries(context).map(([key, value]) => {
      const name = holdable(key, 'a key of the encryption context');
      // StringEquals knows no wildcards, but variables.
      const text = holdable(value, 'a value of the encryption context').replaceAll('$', '${$$}');
      return [`kms:EncryptionContext:${name}`, text];
    }),
  );
}

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html */
function holdable(text: string, what: string): string {
  if (/^[\t\n\r\u0020-\u00ff]*$/.test(text)) return text;
  throw new CredstashError(
    'USAGE',
    `${what} has a character that no IAM policy can hold: U+0020 to U+00FF are all`,
  );
}

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html */
const PARTITIONS: readonly (readonly [prefix: string, partition: string])[] = [
  ['cn-', 'aws-cn'],
  ['us-gov-', 'aws-us-gov'],
  ['us-iso-', 'aws-iso'],
  ['us-isob-', 'aws-iso-b'],
  ['eu-isoe-', 'aws-iso-e'],
  ['us-isof-', 'aws-iso-f'],
  ['eusc-', 'aws-eusc'],
];

function partitionOf(region: string): string {
  return PARTITIONS.find(([prefix]) => region.startsWith(prefix))?.[1] ?? 'aws';
}
