import type { AwsSettings } from './backend/aws/index.ts';
import type { Backend } from './backend/backend.ts';
import type { SetupOptions, SetupStep } from './backend/setup.ts';
import { type CacheOptions, SecretCache } from './secret-cache.ts';
import type { DoctorOptions } from './operations/doctor.ts';
import { CredstashError } from './errors.ts';
import { type FlowDefaults, Flows } from './flows.ts';
import type { Policy, PolicyOptions, PolicyPlace, Role } from './iam-policy.ts';
import { combineSignals } from './util/progress.ts';
import type { CheckOptions, Checks, Step } from './backend/diagnosis.ts';
import { checkFormats, checkTrustedKeys, describeTrust } from './model/trust.ts';

/** Where the secrets are on AWS, and how they are sealed. Everything has a default. */
export interface CredstashOptions extends Partial<AwsSettings>, FlowDefaults {}

export interface LocalOptions extends FlowDefaults {
  /** Whether the first use creates a vault that is not there (default); else that is VAULT_NOT_FOUND. */
  readonly create?: boolean | undefined;
  /** How long a lock of another process is waited for, in milliseconds; default and maximum: 30,000. */
  readonly busyMs?: number | undefined;
}

export type { Policy, PolicyOptions, Role, SetupOptions, SetupStep };

/** A backend that is open. */
export interface Opened extends Backend {
  /** What a policy is about; undefined for a vault. */
  readonly place: PolicyPlace | undefined;
  /** Creates the table or the vault. Whether this call did. */
  readonly setup: (options: SetupOptions) => Promise<boolean>;
  /** Looks at what the backend stands on. */
  readonly check: (options: CheckOptions) => Checks;
  readonly close: () => void;
}

/**
 * Secrets on AWS, or with `Credstash.local` in a vault. Nothing is loaded, read or asked for before the first call, and
 * nothing is kept outside of the instance: no global state, no file, no output. Every method rejects with a CredstashError
 * of a stable `code`, or with the reason of the `signal` that it was given.
 */
export class Credstash extends Flows {
  readonly #backend: () => Promise<Opened>;
  readonly #close: () => Promise<void>;
  readonly #trust: string | undefined;
  readonly #signal: AbortSignal | undefined;

  /**
   * @param options what AWS's own environment variables and files say, unless given here
   * @param vault internal
   * @throws CredstashError USAGE for a `maxConcurrency`, `formats` or `trustedKeys` that cannot be
   */
  constructor(options: CredstashOptions = {}, vault?: () => Promise<Opened>) {
    const { formats, trustedKeys, trustNames } = options;
    const trusted = checkTrustedKeys(trustedKeys, trustNames?.trustedKeys);
    if (vault && trusted) {
      throw new CredstashError('USAGE', 'trusted keys are keys of KMS, and a vault has its own');
    }
    // What is trusted stays as it was checked.
    const open = vault ?? (() => openAws({ ...options, trustedKeys: trusted?.arns }));
    let opened: Promise<Opened> | undefined;
    const once = (): Promise<Opened> =>
      (opened ??= open().catch((error: unknown) => {
        // The next call tries again.
        opened = undefined;
        throw error;
      }));
    super(once, options);
    this.#trust = describeTrust(vault ? null : trusted, checkFormats(formats, trustNames?.formats));
    this.#backend = once;
    this.#signal = options.signal;
    this.#close = async () => {
      const last = opened;
      opened = undefined;
      // What could not be opened need not be closed.
      const backend = await last?.catch(() => undefined);
      backend?.close();
    };
  }

  /**
   * The local vault in `folder`, an absolute path.
   *
   * @throws CredstashError USAGE for options that cannot be, also for `trustedKeys`: a vault has one key, and no other
   */
  static local(folder: string, options: LocalOptions = {}): Credstash {
    return new Credstash(options, () => openVault(folder, options));
  }

  /**
   * Creates the table, with on-demand billing, or the vault, and what else is asked for. What is there is left alone.
   *
   * @returns whether this call created the table or the vault
   * @throws CredstashError USAGE when there is a table with other keys, a key is to be created that is named by no alias, or
   *   one of several regions is asked for and the key has one; KEY_UNUSABLE for a key that cannot be used
   */
  async setup(options: SetupOptions = {}): Promise<boolean> {
    const signal = combineSignals(options.signal, this.#signal);
    signal?.throwIfAborted();
    return (await this.#backend()).setup({ ...options, signal });
  }

  /**
   * Looks at all that it takes to work, step by step: credentials, table, key, what is allowed, a data key; on a vault its
   * files. What is wrong is a step of the state `failed`, and nothing is thrown. With `write` an entry of a random name is
   * stored, read and removed; else nothing is written.
   *
   * @throws CredstashError USAGE for options that cannot be
   */
  async *doctor(options: DoctorOptions = {}): AsyncGenerator<Step> {
    const { diagnose } = await import('./operations/doctor.ts');
    const patient = {
      open: this.#backend,
      put: this.put.bind(this),
      get: this.get.bind(this),
      trust: this.#trust,
    };
    const signal = combineSignals(options.signal, this.#signal);
    yield* diagnose(patient, { ...options, signal });
  }

  /**
   * The least-privilege IAM policy of a role. No request is made.
   *
   * @throws CredstashError USAGE for a vault, and for what no policy can hold (`policyOf`)
   */
  async policy(role: Role, options: PolicyOptions = {}): Promise<Policy> {
    const { place } = await this.#backend();
    if (!place) throw new CredstashError('USAGE', 'a policy is for AWS, not for a vault');
    const { policyOf } = await import('./iam-policy.ts');
    return policyOf(role, place, options);
  }

  /**
   * Secrets kept in memory, in front of `get`, for a server that asks for them often. It is the application's to close.
   *
   * @throws CredstashError USAGE for times or a number of entries that can be none
   */
  createCache(options: CacheOptions = {}): SecretCache {
    return new SecretCache((name, wanted) => this.get(name, wanted), options);
  }

  /** How a person calls it: `the table credential-store in eu-west-1`. */
  async location(): Promise<string> {
    return (await this.#backend()).entries.location;
  }

  /** Closes connections and files, and wipes a vault's master key. The next call would open them again. */
  async close(): Promise<void> {
    await this.#close();
  }
}

async function openAws(options: CredstashOptions): Promise<Opened> {
  const { openAws } = await import('./backend/aws/index.ts');
  return openAws({ table: 'credential-store', key: 'alias/credstash', ...options });
}

async function openVault(folder: string, { create = true, busyMs }: LocalOptions): Promise<Opened> {
  const { openLocal } = await import('./backend/local/index.ts');
  const { keys, entries, vault } = openLocal(folder, { create, busyMs });
  return {
    keys,
    entries,
    place: undefined,
    setup: async ({ done }) => {
      const created = vault.setup();
      await done?.({ what: 'vault', changed: created });
      return created;
    },
    check: async function* (options) {
      const { checkVault } = await import('./backend/local/doctor.ts');
      return yield* checkVault(vault, options);
    },
    close: () => {
      vault.close();
    },
  };
}
