import { checkContext, type Context, NAME_KEY } from './model/context.ts';
import { CredstashError } from './errors.ts';
import { parseKey } from './model/key-id.ts';
import { checkName } from './model/name.ts';
import { checkGlob } from './model/glob.ts';
import { checkRegion, moveArn } from './model/region.ts';

// Over 250 lines: the tables of actions and the statements that are made of them are read together.

/*
 * Least-privilege IAM policies. These tables say which action takes which resource and which condition key:
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
 * https://docs.aws.amazon.com/kms/latest/developerguide/kms-api-permissions-reference.html
 */

/**
 * Whom a policy is for: who reads secrets, who stores them and cannot read them, who does all that one does with secrets, and
 * who creates the table and the key.
 */
export const ROLES = ['reader', 'writer', 'admin', 'setup'] as const;
export type Role = (typeof ROLES)[number];

export interface PolicyPlace {
  /** A name or an ARN. */
  readonly table: string;
  /** An alias, an id, or an ARN of either. */
  readonly key: string;
  /** Of the table. */
  readonly region: string;
  readonly kmsRegion: string;
  /** The regions that a reader and an admin also read from; default: none. */
  readonly fallbackRegions?: readonly string[] | undefined;
}

export interface PolicyOptions {
  /** Of a writer: also the right to read, which a change of one field needs. */
  readonly fields?: boolean | undefined;
  /** Only secrets whose name matches, with `*` for any run of characters. */
  readonly name?: string | undefined;
  /**
   * Only secrets with exactly these pairs in their encryption context, besides the name. With `name` and without `context`: only
   * secrets without pairs.
   */
  readonly context?: Context | undefined;
  /** The account's number, for the ARNs; default: any in ARNs, and the caller's own for a key. */
  readonly account?: string | undefined;
}

type Condition = Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;

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

type SecretsRole = Exclude<Role, 'setup'>;

const ITEMS: Readonly<Record<SecretsRole, readonly string[]>> = {
  reader: ['GetItem', 'Query', 'Scan'],
  // Query finds the newest version; GetItem tells a write of its own whose answer was lost from another's.
  writer: ['GetItem', 'Query', 'PutItem'],
  admin: ['GetItem', 'Query', 'Scan', 'PutItem', 'UpdateItem', 'DeleteItem'],
};

const DATA_KEYS: Readonly<Record<SecretsRole, readonly string[]>> = {
  reader: ['Decrypt'],
  writer: ['GenerateDataKey'],
  admin: ['Decrypt', 'GenerateDataKey', 'Encrypt', 'ReEncryptFrom', 'ReEncryptTo'],
};

/**
 * The least-privilege policy of a role. Makes no request.
 *
 * A reader, writer or admin with a name or a context may use data keys of exactly that encryption context. An admin of some
 * names only may not look at the table and the key themselves, which are not about names.
 *
 * @throws CredstashError USAGE for a name or context that no policy can hold, or given with `setup`; a table, key, region or
 *   account that can be none; an admin's key that is not an ARN
 */
export function policyOf(role: Role, place: PolicyPlace, options: PolicyOptions = {}): Policy {
  const { account = '*' } = options;
  if (account !== '*' && !/^\d{12}$/.test(account)) {
    throw new CredstashError('USAGE', 'the account is not a number of 12 digits');
  }
  if (options.fields && role !== 'writer') {
    throw new CredstashError('USAGE', 'only a writer can be given the right to change fields');
  }
  const names = options.name === undefined ? undefined : namePattern(options.name);
  const context = checkContext(Object.entries(options.context ?? {}));
  const table = tableOf(place, account);
  const key = keyOf(place, account);
  if (role === 'setup') {
    if (names !== undefined || Object.keys(context).length > 0) {
      throw new CredstashError(
        'USAGE',
        'the policy of setup is about a table and a key, not about some secrets',
        { hint: 'leave out the name and the encryption context' },
      );
    }
    return { Version: '2012-10-17', Statement: setupStatements(table, key) };
  }
  if (role === 'admin' && key.kind !== 'arn') throw keyArnMissing(place.key, key.region);
  return {
    Version: '2012-10-17',
    Statement: [
      allow('Entries', dynamodb(itemsOf(role, names)), table, leadingKeys(names)),
      allow(
        'DataKeys',
        kms([...DATA_KEYS[role], ...(options.fields ? ['Decrypt'] : [])]),
        key.arn,
        {
          ...key.condition,
          ...contextCondition(names, context, key.condition),
        },
      ),
      // What doctor looks at.
      ...(role === 'admin' && names === undefined
        ? [
            allow('Table', dynamodb(['DescribeTable', 'DescribeContinuousBackups']), table),
            allow('Key', kms(['DescribeKey', 'GetKeyRotationStatus']), key.arn),
          ]
        : []),
      ...(role === 'writer' ? [] : fallbackStatements(place, account, names, context)),
    ],
  };
}

/** What reads need in the regions to fall back to. No write is made there. */
function fallbackStatements(
  place: PolicyPlace,
  account: string,
  names: string | undefined,
  context: Context,
): Statement[] {
  const places = (place.fallbackRegions ?? [])
    .filter((region) => region !== place.region)
    .map((region) => {
      const [table, key] = [moveArn(place.table, region), moveArn(place.key, region)];
      return { table, key, region, kmsRegion: region };
    });
  const keys = places.map((each) => keyOf(each, account));
  const [first] = keys;
  if (!first) return [];
  if (first.kind !== 'alias' && !/(?:^|\/)mrk-/.test(place.key)) {
    const message = `the key ${place.key} is of one region, so that nothing opens in another`;
    const hint = 'name a multi-Region key with `key`: its id begins with mrk-';
    throw new CredstashError('USAGE', message, { hint });
  }
  const conditions = { ...first.condition, ...contextCondition(names, context, first.condition) };
  const [tables, arns] = [places.map((each) => tableOf(each, account)), keys.map(({ arn }) => arn)];
  return [
    allow('FallbackEntries', dynamodb(itemsOf('reader', names)), tables, leadingKeys(names)),
    allow('FallbackDataKeys', kms(DATA_KEYS.reader), arns, conditions),
  ];
}

function keyArnMissing(key: string, region: string): CredstashError {
  return new CredstashError('USAGE', `the policy of an admin needs the ARN of a key, not ${key}`, {
    hint: `give with \`key\` what this prints: aws kms describe-key --key-id ${key} --query KeyMetadata.Arn --output text --region ${region}`,
  });
}

function tableOf({ table, region }: PolicyPlace, account: string): string {
  const name = '[A-Za-z0-9_.-]{1,255}';
  if (RegExp(`^arn:[a-z-]+:dynamodb:[a-z0-9-]+:\\d{12}:table/${name}$`).test(table)) return table;
  if (!RegExp(`^${name}$`).test(table)) {
    throw new CredstashError('USAGE', 'the table is neither a name nor an ARN');
  }
  return `arn:${partitionOf(checkRegion(region))}:dynamodb:${region}:${account}:table/${table}`;
}

interface Key {
  readonly kind: 'alias' | 'id' | 'arn';
  readonly partition: string;
  readonly region: string;
  readonly account: string;
  /** Of the key, or of any key there. */
  readonly arn: string;
  /** Keeps out other accounts where `arn` does not name one. */
  readonly ownAccount: Condition;
  /** What tells the key from others of that ARN. */
  readonly condition: Condition;
  /** Of the alias, if the key is named by one. */
  readonly aliasArn: string | undefined;
}

function keyOf({ key, kmsRegion }: PolicyPlace, account: string): Key {
  const { kind, ...name } = parseKey(key);
  if ('arn' in name) {
    const [, partition = '', , region = '', owner = ''] = name.arn.split(':');
    return {
      ...{ kind, partition, region, account: owner, arn: name.arn },
      ...{ ownAccount: {}, condition: {}, aliasArn: undefined },
    };
  }
  const region = checkRegion(kmsRegion);
  const own = { partition: partitionOf(region), region, account };
  const at = ('at' in name ? name.at : undefined) ?? own;
  const prefix = `arn:${at.partition}:kms:${at.region}:${at.account}`;
  // Else a stranger's key would do that has this alias too: a Decrypt does not name its key, the entry does.
  const ownAccount: Condition =
    at.account === '*'
      ? { StringEquals: { 'aws:ResourceAccount': '${aws:PrincipalAccount}' } }
      : {};
  if ('id' in name) {
    const arn = `${prefix}:key/${name.id}`;
    return { ...at, kind, arn, ownAccount, condition: ownAccount, aliasArn: undefined };
  }
  return {
    ...at,
    kind,
    // The ARN of an alias is one for what is done to the alias, never for the key behind it.
    arn: `${prefix}:key/*`,
    ownAccount,
    condition: {
      // Not kms:RequestAlias, which is the alias that the caller says, and missing in a Decrypt.
      'ForAnyValue:StringEquals': { 'kms:ResourceAliases': name.alias },
      ...ownAccount,
    },
    aliasArn: `${prefix}:${name.alias}`,
  };
}

/**
 * What `setup` needs, to be attached while it runs: each Sid says so, because JSON has no comments.
 *
 * A policy cannot name a new key, which has neither an ARN nor an alias yet. So it allows the steps of setup on every key without
 * an alias; a key in use usually has one. No statement here uses a key or lets others use it.
 */
function setupStatements(table: string, key: Key): Statement[] {
  const { aliasArn, arn: anyKey, ownAccount, condition } = key;
  const statements = [
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
  ];
  // setup creates a key only for an alias. A key that is named by its id or ARN exists already.
  if (aliasArn !== undefined) {
    const unnamed: Condition = { Null: { 'kms:ResourceAliases': 'true' } };
    // No other tag is allowed: if an account grants access by tags, another tag would be a permission.
    const tagged: Condition = {
      StringEquals: { 'aws:RequestTag/Name': 'credstash' },
      'ForAllValues:StringEquals': { 'aws:TagKeys': 'Name' },
    };
    statements.push(
      allow('NewKey', kms(['CreateKey']), '*', tagged),
      allow('NewKeyTag', kms(['TagResource']), anyKey, { ...tagged, ...unnamed }),
      // DescribeKey: it may take KMS minutes until a policy sees a new alias.
      allow('KeyWithoutAlias', kms(['EnableKeyRotation', 'CreateAlias', 'DescribeKey']), anyKey, {
        ...unnamed,
        ...ownAccount,
      }),
      allow('Alias', kms(['CreateAlias']), aliasArn),
      // CreateAlias: a second one, after a lost answer, has to find that the first one worked.
      allow(
        'KeyWithAlias',
        kms(['DescribeKey', 'GetKeyRotationStatus', 'EnableKeyRotation', 'CreateAlias']),
        anyKey,
        condition,
      ),
      // https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-auth-slr.html
      allow(
        'MultiRegionKeys',
        ['iam:CreateServiceLinkedRole'],
        `arn:${key.partition}:iam::${key.account}:role/aws-service-role/mrk.kms.amazonaws.com/AWSServiceRoleForKeyManagementServiceMultiRegionKeys`,
        { StringEquals: { 'iam:AWSServiceName': 'mrk.kms.amazonaws.com' } },
      ),
    );
  }
  return statements.map((statement) => ({ ...statement, Sid: `${statement.Sid}ForAnHour` }));
}

function allow(
  Sid: string,
  Action: readonly string[],
  Resource: string | readonly string[],
  condition: Condition = {},
): Statement {
  return {
    Sid,
    Effect: 'Allow',
    Action,
    Resource,
    ...(Object.keys(condition).length === 0 ? {} : { Condition: condition }),
  };
}

const dynamodb = (actions: readonly string[]): string[] =>
  actions.map((action) => `dynamodb:${action}`);
const kms = (actions: readonly string[]): string[] => actions.map((action) => `kms:${action}`);

/** Scan returns every item, whatever its name. */
function itemsOf(role: SecretsRole, names: string | undefined): readonly string[] {
  return names === undefined ? ITEMS[role] : ITEMS[role].filter((action) => action !== 'Scan');
}

function leadingKeys(names: string | undefined): Condition {
  if (names === undefined) return {};
  return {
    'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': names },
    // ForAllValues is also true for a request without any values.
    Null: { 'dynamodb:LeadingKeys': 'false' },
  };
}

/** The pattern of StringLike that matches what the glob does. */
function namePattern(glob: string): string {
  if (glob === '') checkName(glob);
  return holdable(checkGlob(glob), 'the name').replace(/[$?]/g, '${$&}');
}

/**
 * Demands exactly this encryption context, including the case of its keys. IAM compares the names of condition keys without
 * case, so that `kms:EncryptionContext:env` also matches `ENV`. It compares the values of `kms:EncryptionContextKeys` exactly.
 * So the conditions on each pair demand the pairs, and `ForAllValues` forbids all other keys.
 *
 * @param other conditions, whose StringEquals is kept
 */
function contextCondition(
  names: string | undefined,
  context: Context,
  other: Condition,
): Condition {
  const pairs = Object.entries(context).map(
    ([key, value]) =>
      [
        escapeVariables(key, 'a key of the encryption context'),
        escapeVariables(value, 'a value of the encryption context'),
        key,
      ] as const,
  );
  if (names === undefined && pairs.length === 0) return {};
  return {
    ...(pairs.length === 0
      ? {}
      : {
          StringEquals: {
            ...other['StringEquals'],
            ...Object.fromEntries(
              pairs.map(([, value, key]) => [`kms:EncryptionContext:${key}`, value]),
            ),
          },
        }),
    ...(names === undefined
      ? {}
      : { StringLike: { [`kms:EncryptionContext:${NAME_KEY}`]: names } }),
    'ForAllValues:StringEquals': {
      'kms:EncryptionContextKeys': [NAME_KEY, ...pairs.map(([key]) => key)],
    },
    // ForAllValues is also true for a request without any values.
    Null: { 'kms:EncryptionContextKeys': 'false' },
  };
}

/** Writes a text for a StringEquals, which knows no wildcards, but variables. */
function escapeVariables(text: string, what: string): string {
  return holdable(text, what).replaceAll('$', '${$$}');
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
