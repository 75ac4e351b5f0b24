import type { KmsServer } from './kms-server.ts';

/*
 * As much of IAM as policies about credstash need, to tell whether they allow what a command, or an attacker, sends:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-logic-multiple-context-keys-or-values.html
 */

/** One thing that a request has to be allowed. */
export interface Ask {
  readonly action: string;
  readonly resource: string;
  /** The condition keys that the service gives; several values for one that is multivalued. */
  readonly keys: Readonly<Record<string, string | readonly string[]>>;
}

type OneOrMore = string | readonly string[];

/** A policy of an identity, or the policy of a key, whose principals are taken for whoever asks. */
export interface PolicyDocument {
  readonly Statement: readonly {
    readonly Effect: 'Allow' | 'Deny';
    readonly Action: OneOrMore;
    readonly Resource: OneOrMore;
    readonly Condition?: Readonly<Record<string, Readonly<Record<string, OneOrMore>>>>;
  }[];
}

/** Whether one of the policies allows it, and none denies it. */
export function allows(policies: readonly PolicyDocument[], ask: Ask): boolean {
  const effects = policies
    .flatMap(({ Statement }) => Statement)
    .filter(
      ({ Action, Resource, Condition = {} }) =>
        // Names of actions are compared without case.
        list(Action).some((each) => isLike(each.toLowerCase(), ask.action.toLowerCase())) &&
        list(Resource).some((each) => isLike(each, ask.resource)) &&
        Object.entries(Condition).every(([operator, keys]) =>
          Object.entries(keys).every(([key, wanted]) =>
            holds(operator, key, list(wanted), ask.keys),
          ),
        ),
    )
    .map(({ Effect }) => Effect);
  return effects.includes('Allow') && !effects.includes('Deny');
}

function list(value: OneOrMore): readonly string[] {
  return typeof value === 'string' ? [value] : value;
}

/**
 * The values of a condition key, whose name is compared without case. Several keys of a request whose names differ only in case
 * have all of their values here: which of them IAM takes is not documented, and an attacker may be lucky.
 */
function valuesOf(key: string, keys: Ask['keys']): string[] {
  return Object.entries(keys)
    .filter(([name]) => name.toLowerCase() === key.toLowerCase())
    .flatMap(([, value]) => value);
}

/** Compares a value of the request with one of the policy. */
type Comparison = (value: string, wanted: string, keys: Ask['keys']) => boolean;

const COMPARISONS: Readonly<Record<string, Comparison>> = {
  StringEquals: (value, wanted, keys) => value === literal(wanted, keys),
  StringEqualsIgnoreCase: (value, wanted, keys) =>
    value.toLowerCase() === literal(wanted, keys).toLowerCase(),
  StringLike: (value, wanted, keys) => like(wanted, keys).test(value),
};

/** Whether one line of a condition holds. The values of the policy are alternatives; those of a negated operator, forbidden. */
function holds(
  operator: string,
  key: string,
  wanted: readonly string[],
  keys: Ask['keys'],
): boolean {
  const values = valuesOf(key, keys);
  if (operator === 'Null') return wanted.includes(values.length === 0 ? 'true' : 'false');
  const [, set, base = '', ifExists] =
    /^(?:(ForAllValues|ForAnyValue):)?(\w+?)(IfExists)?$/.exec(operator) ?? [];
  const compare = COMPARISONS[base.replace('StringNot', 'String')];
  if (!compare) throw new Error(`the policy has an unknown operator ${operator}`);
  const isNegated = base.startsWith('StringNot');
  const matches = (value: string): boolean =>
    wanted.some((each) => compare(value, each, keys)) !== isNegated;
  if (values.length === 0 && ifExists !== undefined) return true;
  if (set === 'ForAllValues') return values.every(matches);
  if (set === 'ForAnyValue') return values.some(matches);
  return values.length === 0 ? isNegated : values.some(matches);
}

function isLike(pattern: string, text: string): boolean {
  return pattern === text || (/[*?$]/.test(pattern) && like(pattern).test(text));
}

/** A pattern of StringLike, or of Resource: `*` and `?` are wild, `${*}` and its like are not. */
function like(pattern: string, keys: Ask['keys'] = {}): RegExp {
  const source = pattern.replace(/\$\{[^}]*\}|[^]/g, (part) => {
    if (part === '*') return '[^]*';
    if (part === '?') return '[^]';
    return escape(part.length > 1 ? literal(part, keys) : part);
  });
  return RegExp(`^${source}$`);
}

function escape(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

/** The text of StringEquals, with its variables in their place. */
function literal(text: string, keys: Ask['keys']): string {
  return text.replace(/\$\{([^}]*)\}/g, (_, name: string) => {
    if (['*', '?', '$'].includes(name)) return name;
    const [value] = valuesOf(name, keys);
    if (value === undefined)
      throw new Error(`the policy has the variable ${name}, and the request not`);
    return value;
  });
}

/** Of the caller, and of what the servers have. */
export const ACCOUNT = '123456789012';

const CALLER = { 'aws:PrincipalAccount': ACCOUNT, 'aws:ResourceAccount': ACCOUNT };

/** What a KMS server knows of its keys. */
export type KeysKnown = Pick<KmsServer, 'keys' | 'aliasesOf' | 'keyOf'>;

interface Body {
  readonly TableName?: string;
  readonly Key?: { readonly name?: { readonly S: string } };
  readonly Item?: { readonly name?: { readonly S: string } };
  readonly ExpressionAttributeValues?: { readonly ':name'?: { readonly S: string } };
  readonly TransactItems?: readonly Readonly<Record<string, Body>>[];
  readonly Tags?: readonly Readonly<Record<string, string>>[];
  readonly KeyId?: string;
  readonly TargetKeyId?: string;
  readonly AliasName?: string;
  readonly DestinationKeyId?: string;
  readonly CiphertextBlob?: string;
  readonly EncryptionContext?: Readonly<Record<string, string>>;
  readonly SourceEncryptionContext?: Readonly<Record<string, string>>;
  readonly DestinationEncryptionContext?: Readonly<Record<string, string>>;
}

/**
 * What a request to DynamoDB or KMS has to be allowed, by the tables of actions of both services:
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html and
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_awskeymanagementservice.html
 *
 * @param action as a recorder has it: `DynamoDB.Query`, `KMS.Decrypt`
 */
export function asked(action: string, region: string, sent: string, known: KeysKnown): Ask[] {
  const body = JSON.parse(sent) as Body;
  const [service, operation = ''] = action.split('.');
  return service === 'DynamoDB'
    ? ofDynamo(operation, region, body)
    : ofKms(operation, region, body, known);
}

function ofDynamo(operation: string, region: string, body: Body): Ask[] {
  if (operation === 'TransactWriteItems') {
    // Authorised by what is in it (developer guide, transaction-apis-iam).
    return (body.TransactItems ?? []).flatMap((item) =>
      Object.entries(item).flatMap(([kind, each]) => ofDynamo(`${kind}Item`, region, each)),
    );
  }
  const table = body.TableName ?? '';
  const resource = table.startsWith('arn:')
    ? table
    : `arn:aws:dynamodb:${region}:${ACCOUNT}:table/${table}`;
  const name = body.Key?.name ?? body.Item?.name ?? body.ExpressionAttributeValues?.[':name'];
  const keys = {
    ...CALLER,
    ...(name === undefined ? {} : { 'dynamodb:LeadingKeys': [name.S] }),
  };
  const ask = { action: `dynamodb:${operation}`, resource, keys };
  if (operation !== 'CreateTable' || !body.Tags) return [ask];
  return [ask, { ...ask, action: 'dynamodb:TagResource' }];
}

/** The condition keys of an encryption context. */
export function contextKeys(context: Readonly<Record<string, string>>): Ask['keys'] {
  const pairs = Object.entries(context);
  return {
    ...(pairs.length === 0 ? {} : { 'kms:EncryptionContextKeys': pairs.map(([key]) => key) }),
    ...Object.fromEntries(pairs.map(([key, value]) => [`kms:EncryptionContext:${key}`, value])),
  };
}

function ofKms(operation: string, region: string, body: Body, known: KeysKnown): Ask[] {
  const at = `arn:aws:kms:${region}:${ACCOUNT}`;
  const onKey = (
    action: string,
    id: string | undefined,
    context: Readonly<Record<string, string>> = {},
  ): Ask => ({
    action: `kms:${action}`,
    resource: `${at}:key/${id ?? 'none'}`,
    keys: {
      ...CALLER,
      'kms:ResourceAliases': known.aliasesOf(id ?? ''),
      ...contextKeys(context),
    },
  });
  const named = (key = ''): string | undefined =>
    known.keys().find(({ id, arn }) => [id, arn, ...known.aliasesOf(id)].includes(key))?.id;
  const wrapping = (wrapped = ''): string | undefined =>
    known.keyOf(Buffer.from(wrapped, 'base64'))?.id;
  switch (operation) {
    case 'CreateKey': {
      const tags: Record<string, string | readonly string[]> = Object.fromEntries(
        (body.Tags ?? []).map(({ TagKey = '', TagValue = '' }) => [
          `aws:RequestTag/${TagKey}`,
          TagValue,
        ]),
      );
      tags['aws:TagKeys'] = (body.Tags ?? []).map(({ TagKey = '' }) => TagKey);
      return [
        { action: 'kms:CreateKey', resource: '*', keys: tags },
        { action: 'kms:TagResource', resource: `${at}:key/new`, keys: { ...CALLER, ...tags } },
      ];
    }
    case 'CreateAlias':
      return [
        { action: 'kms:CreateAlias', resource: `${at}:${body.AliasName ?? ''}`, keys: CALLER },
        onKey('CreateAlias', body.TargetKeyId),
      ];
    case 'ReEncrypt':
      return [
        onKey('ReEncryptFrom', wrapping(body.CiphertextBlob), body.SourceEncryptionContext),
        onKey('ReEncryptTo', named(body.DestinationKeyId), body.DestinationEncryptionContext),
      ];
    case 'Decrypt':
      return [onKey('Decrypt', wrapping(body.CiphertextBlob), body.EncryptionContext)];
    default: {
      const id = named(body.KeyId);
      // An alias of no key is not found, and so nothing is asked for.
      return id === undefined ? [] : [onKey(operation, id, body.EncryptionContext)];
    }
  }
}
