import { CredstashError } from '../errors.ts';

/** The master key as a user names it. */
export type KeyName =
  | { readonly kind: 'alias'; readonly alias: string; readonly at: KeyPlace | undefined }
  | { readonly kind: 'id'; readonly id: string }
  | { readonly kind: 'arn'; readonly arn: string };

/** The parts of an ARN that locate a key or alias. */
export interface KeyPlace {
  readonly partition: string;
  readonly region: string;
  readonly account: string;
}

/** The parts of the ARN of a key. */
export interface KeyArn extends KeyPlace {
  readonly id: string;
}

/** https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateAlias.html, AliasName */
const ALIAS = /^alias\/[A-Za-z0-9/_-]{1,250}$/;
const ARN = /^arn:([a-z-]+):kms:([a-z0-9-]+):(\d{12}):(alias\/[A-Za-z0-9/_-]+|key\/[A-Za-z0-9-]+)$/;
const KEY_ARN = /^arn:(aws[a-z-]*):kms:([a-z0-9-]+):(\d{12}):key\/([A-Za-z0-9-]+)$/;
/** The id of a key, with the prefix `mrk-` if it is a multi-Region key. */
const ID = /^(?:mrk-[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i;

/** Parses how a user names a key. @throws CredstashError USAGE if it is not an alias, an id, or an ARN of either */
export function parseKey(key: string): KeyName {
  if (ALIAS.test(key)) return { kind: 'alias', alias: key, at: undefined };
  if (ID.test(key)) return { kind: 'id', id: key };
  const [, partition = '', region = '', account = '', resource = ''] = ARN.exec(key) ?? [];
  if (resource.startsWith('key/')) return { kind: 'arn', arn: key };
  if (resource !== '')
    return { kind: 'alias', alias: resource, at: { partition, region, account } };
  throw new CredstashError(
    'USAGE',
    'the key is neither an alias such as alias/credstash, nor the id of a key, nor an ARN',
  );
}

/** Parses the ARN of a key; undefined for any other text, also for the ARN of an alias. */
export function parseKeyArn(arn: string): KeyArn | undefined {
  const [, partition = '', region = '', account = '', id = ''] = KEY_ARN.exec(arn) ?? [];
  return id === '' ? undefined : { partition, region, account, id };
}

/** Checks the alias of a key to create. @throws CredstashError USAGE */
export function checkNewAlias(key: string): string {
  if (ALIAS.test(key) && !key.startsWith('alias/aws/')) return key;
  throw new CredstashError(
    'USAGE',
    'a key is created by its alias: alias/ and letters, digits, / _ -, but not alias/aws/',
    { hint: 'name it with `key: "alias/NAME"`, and its region with `kmsRegion`' },
  );
}
