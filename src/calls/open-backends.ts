import { isAbsolute } from 'node:path';
import type { AwsSettings } from '../backend/aws/settings.ts';
import type { Backend, Needs } from '../backend/backend.ts';
import type { CheckOptions, Checks, FallbackChecks } from '../backend/diagnosis.ts';
import type { SetupOptions } from '../backend/setup.ts';
import { CredstashError } from '../errors.ts';
import type { PolicyPlace } from '../iam-policy.ts';
import { DEFAULT_KEY, DEFAULT_TABLE } from '../model/defaults.ts';

/* The backends of a session: AWS, a vault, memory and the caller's own. Each is loaded when it is opened. */

/** An open backend. */
export interface Opened extends Backend {
  /** The table and key that a policy names; undefined for a vault. */
  readonly place: PolicyPlace | undefined;
  /** Creates the table or the vault. Resolves to whether this call created it. */
  readonly setup: (options: SetupOptions) => Promise<boolean>;
  /** Checks the backend, for doctor. */
  readonly check: (options: CheckOptions) => Checks;
  /** The regions to fall back to. */
  readonly fallbacks?: readonly FallbackChecks[];
  readonly close: () => void;
}

/**
 * Opens the table and the key on AWS.
 *
 * @param needsKeys whether an operation with checked input is about to ask both services. Their connections are then opened
 *   while the SDK is loaded
 */
export async function openTable(
  options: Partial<AwsSettings>,
  { needsKeys = false }: Needs = {},
): Promise<Opened> {
  const settings = { table: DEFAULT_TABLE, key: DEFAULT_KEY, ...options };
  const agents = needsKeys
    ? await (await import('../backend/aws/early-connections.ts')).connectEarly(settings)
    : undefined;
  try {
    const { openAws } = await import('../backend/aws/index.ts');
    return await openAws(settings, agents);
  } catch (error) {
    agents?.httpsAgent.destroy();
    throw error;
  }
}

/** Checks that a vault's folder is absolute, because a relative path changes with the current folder. @throws CredstashError USAGE */
export function checkFolder(folder: string): void {
  if (isAbsolute(folder) && !folder.includes('\0')) return;
  throw new CredstashError('USAGE', 'Credstash.local: folder must be an absolute path', {
    hint: "path.resolve(folder) makes one, and path.join(os.homedir(), '…') names one of the user's",
  });
}

export async function openVault(
  folder: string,
  {
    create = true,
    busyMs,
  }: { readonly create?: boolean | undefined; readonly busyMs?: number | undefined },
): Promise<Opened> {
  const { openLocal } = await import('../backend/local/index.ts');
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
      const { checkVault } = await import('../backend/local/doctor.ts');
      return yield* checkVault(vault, options);
    },
    close: () => {
      vault.close();
    },
  };
}

/** Opens a new backend in memory on each call. It needs no setup. */
export async function openInMemory(): Promise<Opened> {
  const { openMemory } = await import('../backend/memory/index.ts');
  const { keys, entries, close } = openMemory();
  return { ...openOwn({ keys, entries }), setup: () => Promise.resolve(false), close };
}

/** Wraps the caller's own backend, which the caller must close. */
export function openOwn({ keys, entries }: Pick<Backend, 'keys' | 'entries'>): Opened {
  return {
    keys,
    entries,
    place: undefined,
    setup: () => {
      throw new CredstashError(
        'USAGE',
        'setup is for AWS and for a vault, not for a backend of your own',
      );
    },
    // oxlint-disable-next-line typescript/require-await
    check: async function* () {
      yield* [];
      return { keys: true, entries: true };
    },
    close: () => undefined,
  };
}
