import type { EntryStore } from '../entry-store.ts';
import type { KeyService } from '../key-service.ts';
import { LocalEntryStore } from './entry-store.ts';
import { LocalKeyService } from './key-service.ts';
import { Vault, type VaultOptions } from './vault.ts';

/**
 * Opens the local vault in `folder`, an absolute path. Reads and writes nothing before the first use.
 *
 * @param options.create whether the first use creates a missing vault
 * @param options.busyMs how long to wait for another process's lock, in milliseconds; at most 30 s
 */
export function openLocal(
  folder: string,
  options: VaultOptions,
): { keys: KeyService; entries: EntryStore; vault: Vault } {
  const vault = new Vault(folder, options);
  return { keys: new LocalKeyService(vault), entries: new LocalEntryStore(vault), vault };
}
