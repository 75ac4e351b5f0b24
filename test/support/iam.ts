import type { Policy } from '../../src/policy.ts';
import type { KmsServer } from './kms-server.ts';

/*
 * As much of IAM as the policies of credstash need, to tell whether they allow what a command sends:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
 */

/** One thing that a request has to be allowed. */
export interface Ask {
  readonly action: string;
  readonly resource: string;
  /** The condition keys that the service gives; several values for one that is multivalued. */
  readonly keys: Readonly<Record<string, string | readonly string[]>>;
}

type Value = string | readonly string[] | undefined;

function list(value: Value): readonly string[] {
  return value === undefined ? [] : typeof value === 'string' ? [value] : value;
}

/** A pattern of StringLike, or of Resource: `*` and `?` are wild, `${*}` and its like are not. */
function like(pattern: string): RegExp {
  const source = pattern.replace(
    /\$\{([*?$])\}|[*]|[?]|[\\^$.+()[\]{}|]/g,
    (found, literal?: string) =>
      literal !== undefined
        ? `\\${literal}`
        : found === '*'
          ? '[^]*'
          : found === '?'
            ? '[^]'
            : `\\${found}`,
  );
  return RegExp(`^${source}$`);
}

/** The text of StringEquals, with its variables in their place. */
function literal(text: string, keys: Ask['keys']): string {
  return text.replace(/\$\{([^}]*)\}/g, (_, name: string) => {
    if (['*', '?', '$'].includes(name)) return name;
    const value = keys[name];
    if (typeof value !== 'string') throw new Error(`the policy has an unknown variable ${name}`);
    return value;
  });
}

function holds(operator: string, key: string, wanted: string, keys: Ask['keys']): boolean {
  const values = list(keys[key]);
  const equal = (value: string): boolean => value === literal(wanted, keys);
  const similar = (value: string): boolean => like(wanted).test(value);
  switch (operator) {
    case 'StringEquals':
      return values.length === 1 && values.every(equal);
    case 'StringLike':
      return values.length === 1 && values.every(similar);
    case 'ForAnyValue:StringEquals':
      return values.some(equal);
    case 'ForAllValues:StringEquals':
      // Also of none.
      return values.every(equal);
    case 'ForAllValues:StringLike':
      // Also of none.
      return values.every(similar);
    case 'Null':
      return (values.length === 0) === (wanted === 'true');
    default:
      throw new Error(`the policy has an unknown operator ${operator}`);
  }
}

/** Whether one of the policies allows it. */
export function allows(policies: readonly Policy[], { action, resource, keys }: Ask): boolean {
  return policies
    .flatMap(({ Statement }) => Statement)
    .some(
      (statement) =>
        statement.Action.includes(action) &&
        list(statement.Resource).some((each) => like(each).test(resource)) &&
        Object.entries(statement.Condition ?? {}).every(([operator, conditions]) =>
          Object.entries(conditions).every(([key, wanted]) => holds(operator, key, wanted, keys)),
        ),
    );
}

const ACCOUNT = '123456789012';

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
  const keys = name === undefined ? {} : { 'dynamodb:LeadingKeys': [name.S] };
  const ask = { action: `dynamodb:${operation}`, resource, keys };
  if (operation !== 'CreateTable' || !body.Tags) return [ask];
  return [ask, { ...ask, action: 'dynamodb:TagResource' }];
}

function ofKms(operation: string, region: string, body: Body, known: KeysKnown): Ask[] {
  const at = `arn:aws:kms:${region}:${ACCOUNT}`;
  const caller = { 'aws:PrincipalAccount': ACCOUNT, 'aws:ResourceAccount': ACCOUNT };
  const onKey = (
    action: string,
    id: string | undefined,
    context: Readonly<Record<string, string>> = {},
  ): Ask => ({
    action: `kms:${action}`,
    resource: `${at}:key/${id ?? 'none'}`,
    keys: {
      ...caller,
      'kms:ResourceAliases': known.aliasesOf(id ?? ''),
      ...Object.fromEntries(
        Object.entries(context).map(([key, value]) => [`kms:EncryptionContext:${key}`, value]),
      ),
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
        { action: 'kms:TagResource', resource: `${at}:key/new`, keys: { ...caller, ...tags } },
      ];
    }
    case 'CreateAlias':
      return [
        { action: 'kms:CreateAlias', resource: `${at}:${body.AliasName ?? ''}`, keys: caller },
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
