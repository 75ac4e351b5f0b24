import type { EntryStore } from '../entry-store.ts';
import type { KeyService } from '../key-service.ts';
import { LocalEntryStore } from './entry-store.ts';
import { LocalKeyService } from './key-service.ts';
import { Vault, type VaultOptions } from './vault.ts';

/**
 * The embedded vault in `folder`, an absolute path. Nothing is read or written before the first use.
 *
 * @param options.create whether the first use creates a missing vault
 * @param options.busyMs how long a lock of another process is waited for, in milliseconds; 30 s at most
 */
export function openLocal(
  folder: string,
  options: VaultOptions,
): { keys: KeyService; entries: EntryStore; vault: Vault } {
  const vault = new Vault(folder, options);
  return { keys: new LocalKeyService(vault), entries: new LocalEntryStore(vault), vault };
}
