import { DEFAULT_KEY, DEFAULT_TABLE } from '../model/defaults.ts';
import type { Context } from '../model/context.ts';
import { Credstash } from '../credstash.ts';
import type { EntryHeader } from '../model/entry.ts';
import { CredstashError, hasCode, combineFailures } from '../errors.ts';
import { addTheirText, type Call } from './messages.ts';
import type {
  CredStashOptions,
  WhereOptions,
  NameOptions,
  SecretOptions,
  PutSecretOptions,
  GetAllVersionsOptions,
  GetAllSecretsOptions,
  ListSecretsOptions,
  DeleteSecretOptions,
  Done,
  Callback,
  Method,
  BareMethod,
} from './options.ts';
import { type SdkOptions, sdk3Options } from './sdk2-options.ts';
import { compareUtf8, decodeUtf8 } from '../util/utf8.ts';
import { nextVersion } from '../model/version.ts';

/*
 * The class of the npm package nodecredstash, of its releases 2 and 3, over Credstash (docs/how-to/migrate-from-nodecredstash.md). Over 250
 * lines: it has every method of both releases, with the documentation of the public API.
 */

/** The length to which versions that are numbers are padded with zeros. */
const PAD_LENGTH = 19;

/**
 * Secrets on AWS with the methods of nodecredstash: secrets are texts, each call takes one object of options, and returns a
 * promise or calls a callback. Loads nothing and sends nothing before the first call. The methods work without their object.
 */
export class CredStash {
  // In CommonJS the module is the class itself. These make `const { CredStash } = require(…)` and `require(…).default` work.
  static readonly CredStash = CredStash;
  static readonly default = CredStash;

  readonly #options: CredStashOptions;
  readonly #where: { readonly table: string; readonly key: string };
  readonly #instances = new Map<string, Credstash>();

  constructor(options: CredStashOptions = {}) {
    this.#options = { ...options };
    this.#where = { table: options.table || DEFAULT_TABLE, key: options.kmsKey || DEFAULT_KEY };
  }

  /** Stores a secret as a new version; default: 1. @throws CredstashError USAGE, TOO_LARGE, VERSION_EXISTS */
  readonly putSecret: Method<PutSecretOptions, Done> = method(
    async (options) => {
      const { context, digest } = options;
      const name = nameOf(options);
      const value = bytesOf(options.secret);
      const version = versionOf(options.version ?? 1);
      await this.#credstash(options).put(name, value, {
        version,
        exactVersion: true,
        context: contextOf(context),
        digest: digest?.toUpperCase(),
        cipher: this.#cipher(),
        hmacAsText: true,
      });
      return {};
    },
    () => this.#where.key,
  );

  /**
   * Gets the text of a secret, in the given version or the newest.
   *
   * @throws CredstashError SECRET_NOT_FOUND, VERSION_NOT_FOUND, INTEGRITY, WRONG_CONTEXT; USAGE if the secret is not text
   */
  readonly getSecret: Method<SecretOptions, string> = method(async (options) => {
    const name = nameOf(options);
    const value = await this.#credstash(options).get(name, {
      version: versionOf(options.version),
      exactVersion: true,
      context: contextOf(options.context),
    });
    return textIn(name, value);
  });

  /**
   * Gets the texts of secrets, by name. The options choose the secrets by prefix, and their version instead of the newest.
   *
   * @throws CredstashError with a failure for each secret that does not open, unless `skipUndecryptable` is set
   */
  readonly getAllSecrets: BareMethod<GetAllSecretsOptions, Record<string, string>> = method(
    async (options) => {
      const { startsWith, skipUndecryptable = false } = options;
      const prefix = startsWith || '';
      const { secrets, leftOut } = await this.#credstash(options).getAll({
        glob: `${prefix}*`,
        version: versionOf(options.version || undefined),
        exactVersion: true,
        context: contextOf(options.context),
        skipUndecryptable: true,
      });
      // The GLOB matches more if the prefix contains a `*`, which is an ordinary character here.
      const isWanted = ({ name }: { name: string }): boolean => name.startsWith(prefix);
      // A secret without the given version is not wanted, and so not a failure.
      const failures = leftOut.filter(
        (each) => isWanted(each) && !hasCode(each.error, 'VERSION_NOT_FOUND'),
      );
      const texts: [name: string, text: string][] = [];
      for (const { name, value } of secrets.filter(isWanted)) {
        try {
          texts.push([name, textIn(name, value)]);
        } catch (error) {
          if (!(error instanceof CredstashError)) throw error;
          failures.push({ name, error });
        }
      }
      if (failures.length > 0 && !skipUndecryptable) {
        throw combineFailures(
          `${failures.length} of ${failures.length + texts.length} secrets cannot be opened, so none is given`,
          failures,
          'give the encryption context that they share, or leave out what does not open with skipUndecryptable',
        );
      }
      return Object.fromEntries(texts.sort(([a], [b]) => (a < b ? -1 : 1)));
    },
  );

  /** Gets every version of a secret with its text, the newest first; an empty list if the secret does not exist. */
  readonly getAllVersions: Method<GetAllVersionsOptions, { version: string; secret: string }[]> =
    method(async (options) => {
      const { limit } = options;
      const name = nameOf(options);
      const context = contextOf(options.context);
      if (limit !== undefined && !(Number.isInteger(limit) && limit > 0)) {
        throw new CredstashError('USAGE', 'the limit is not a whole number above 0');
      }
      const credstash = this.#credstash(options);
      const headers = (await versionsOf(credstash, name)).slice(0, limit);
      const secrets = await credstash.getMany(
        headers.map(({ version }) => ({
          name,
          version,
          exactVersion: true,
          context,
          place: `version ${version} of ${name}`,
        })),
      );
      return secrets.map(({ version, value }) => ({ version, secret: textIn(name, value) }));
    });

  /** Lists the name and version of every entry, by name, the newest first. */
  readonly listSecrets: BareMethod<ListSecretsOptions, { name: string; version: string }[]> =
    method(async (options) => {
      const headers = await this.#credstash(options).list();
      return headers
        .map(({ name, version }) => ({ name, version }))
        .sort((a, b) => a.name.localeCompare(b.name) || compareUtf8(b.version, a.version));
    });

  /** Gets the newest version of a secret; the number 0 if the secret does not exist. */
  readonly getHighestVersion: Method<NameOptions, string | 0> = method(async (options) => {
    const [newest] = await versionsOf(this.#credstash(options), nameOf(options));
    return newest?.version ?? 0;
  });

  /** Computes the version after the newest, padded. @throws CredstashError VERSION_NOT_NUMERIC */
  readonly incrementVersion: Method<NameOptions, string> = method(async (options, call) => {
    const name = nameOf(options);
    const [newest] = await versionsOf(this.#credstash(options), name);
    if (!newest) return padVersion(1);
    call.version = newest.version;
    return nextVersion(name, newest.version);
  });

  /** Deletes one version. A missing version is not an error. */
  readonly deleteSecret: Method<DeleteSecretOptions, Done> = method(async (options) => {
    const name = nameOf(options);
    const version = versionOf(options.version);
    if (!version) throw missingParameter('version');
    await deleteVersions(this.#credstash(options), name, version);
    return {};
  });

  /** Deletes every version of a secret, the oldest first. */
  readonly deleteSecrets: Method<NameOptions, Done[]> = method(async (options) =>
    deleteVersions(this.#credstash(options), nameOf(options)),
  );

  /** Creates the table if missing, and waits until it is active. */
  readonly createDdbTable: BareMethod<WhereOptions, undefined> = method(async (options) => {
    await this.#credstash(options).setup();
    return undefined;
  });

  /** Pads a number with zeros: `paddedInt(7)` to 19 digits, or `paddedInt(LENGTH, 7)`. */
  readonly paddedInt = (...args: [i: number] | [length: number, i: number]): string =>
    args.length === 1 ? padVersion(args[0]) : padInt(...args);

  /** Returns the constructor's options, and the options for each service. They include credentials, if the options have any. */
  readonly getConfiguration = (): {
    config: CredStashOptions;
    dynamoConfig: { table: string; opts: SdkOptions };
    kmsConfig: { kmsKey: string; opts: SdkOptions };
  } => {
    const { awsOpts, dynamoOpts, kmsOpts } = this.#options;
    return {
      config: { ...this.#options },
      dynamoConfig: { table: this.#where.table, opts: { ...awsOpts, ...dynamoOpts } },
      kmsConfig: { kmsKey: this.#where.key, opts: { ...awsOpts, ...kmsOpts } },
    };
  };

  /** Closes the connections. The next call opens them again. */
  readonly close = async (): Promise<void> => {
    const instances = [...this.#instances.values()];
    this.#instances.clear();
    await Promise.all(instances.map((each) => each.close()));
  };

  /** Chooses the format of new secrets. */
  #cipher(): string {
    const { cipher, formats } = this.#options;
    return cipher ?? (formats?.includes('AES-256-CTR') === false ? 'AES-256-GCM' : 'AES-256-CTR');
  }

  /** Gets the Credstash for a table and a key. Each is created once. */
  #credstash({ tableName, kmsKey }: WhereOptions): Credstash {
    const table = tableName ?? this.#where.table;
    const key = kmsKey ?? this.#where.key;
    const id = JSON.stringify([table, key]);
    let credstash = this.#instances.get(id);
    if (!credstash) {
      const { dynamoConfig, kmsConfig } = this.getConfiguration();
      const dynamodb = sdk3Options(dynamoConfig.opts);
      const kms = sdk3Options(kmsConfig.opts);
      const profile = dynamodb.profile ?? kms.profile;
      const { trustedKeys, formats } = this.#options;
      const clientOptions = { dynamodb, kms };
      credstash = new Credstash({ table, key, profile, clientOptions, trustedKeys, formats });
      this.#instances.set(id, credstash);
    }
    return credstash;
  }
}

/**
 * Makes a method of `run` that takes a callback after its options. If the callback throws, the promise rejects.
 *
 * @param run may add facts to `call` that the text of an error needs
 * @param findKey for a method that stores a secret: returns the master key if the options name none
 */
function method<O, T>(
  run: (options: O, call: Call) => Promise<T>,
  findKey?: () => string,
): BareMethod<O, T> {
  return async (...args: unknown[]): Promise<never> => {
    const callback = typeof args.at(-1) === 'function' ? (args.pop() as Callback<T>) : undefined;
    // A caller without TypeScript may pass anything.
    const options = Object(args[0] ?? {}) as O & Partial<SecretOptions>;
    const { name, context } = options;
    const call: Call = {
      name,
      version: versionOf(options.version ?? 1),
      context,
      kmsKey: findKey && (options.kmsKey ?? findKey()),
    };
    let result: T;
    try {
      result = await run(options, call);
    } catch (cause) {
      const error = addTheirText(cause, call);
      if (!callback) throw error;
      return (callback as (error: unknown) => unknown)(error) as never;
    }
    return (callback ? callback(undefined, result) : result) as never;
  };
}

function missingParameter(name: string): CredstashError {
  return new CredstashError('USAGE', `${name} is a required parameter`);
}

function nameOf({ name }: { readonly name?: unknown }): string {
  if (!name) throw missingParameter('name');
  if (typeof name !== 'string') throw new CredstashError('USAGE', 'the name is not a text');
  return name;
}

/** Converts a secret to bytes. A number, from a caller without TypeScript, becomes its text. */
function bytesOf(secret: unknown): Uint8Array {
  if (!secret) throw missingParameter('secret');
  if (secret instanceof Uint8Array) return secret;
  const text = typeof secret === 'number' || typeof secret === 'bigint' ? String(secret) : secret;
  if (typeof text === 'string' && text.isWellFormed()) return Buffer.from(text);
  throw new CredstashError('USAGE', 'the secret is neither valid Unicode text nor bytes');
}

/** Decodes a secret's bytes exactly. @throws CredstashError USAGE if they are not UTF-8 */
function textIn(name: string, value: Uint8Array): string {
  const text = decodeUtf8(value);
  if (text !== undefined) return text;
  throw new CredstashError('USAGE', `the secret ${name} is no UTF-8 text`, {
    hint: 'get its bytes with Credstash of credstash-cli',
  });
}

function versionOf(version: string | number | null | undefined): string | undefined {
  if (version === undefined || version === null) return undefined;
  return typeof version === 'number' ? padVersion(version) : version;
}

function padVersion(version: number): string {
  return padInt(PAD_LENGTH, version);
}

function padInt(length: number, i: number): string {
  return String(i).padStart(length, '0');
}

/** Checks the pairs of a context. null, from a caller without TypeScript, counts as undefined. @throws CredstashError USAGE */
function contextOf(context: Context | null | undefined): Context | undefined {
  const values: unknown[] = Object.values(context ?? {});
  if (values.every((value) => typeof value === 'string')) return context ?? undefined;
  throw new CredstashError('USAGE', 'a value of the encryption context is not a text');
}

/** Gets the headers of a secret, the newest first; an empty list if it does not exist. */
async function versionsOf(credstash: Credstash, name: string): Promise<EntryHeader[]> {
  try {
    return await credstash.history(name);
  } catch (error) {
    if (hasCode(error, 'SECRET_NOT_FOUND')) return [];
    throw error;
  }
}

/** Deletes one version, or all. A missing secret or version is not an error. */
async function deleteVersions(
  credstash: Credstash,
  name: string,
  version?: string,
): Promise<Done[]> {
  try {
    const outcomes = await credstash.delete(name, { version, exactVersion: true });
    return outcomes.map(() => ({}));
  } catch (error) {
    if (hasCode(error, 'SECRET_NOT_FOUND', 'VERSION_NOT_FOUND')) return [];
    throw error;
  }
}
