/**
 * A backend without a table and without a file, for tests of applications and of this project. Data keys are wrapped and
 * secrets are sealed as on the other backends; only where they are kept differs.
 */
import { randomBytes } from 'node:crypto';
import type { EntryStore } from '../entry-store.ts';
import type { KeyService } from '../key-service.ts';
import { MemoryEntryStore, type MemoryItems } from './entry-store.ts';
import { MemoryKeyService } from './key-service.ts';

/**
 * An empty backend in memory. Nothing outside the process sees it.
 *
 * @param items to look at what is stored, and to change it, from outside
 * @returns `close` wipes the master key and forgets the entries
 */
export function openMemory(items: MemoryItems = new Map()): {
  keys: KeyService;
  entries: EntryStore;
  close: () => void;
} {
  const masterKey = randomBytes(32);
  return {
    keys: new MemoryKeyService(masterKey),
    entries: new MemoryEntryStore(items),
    close: () => {
      masterKey.fill(0);
      items.clear();
    },
  };
}
