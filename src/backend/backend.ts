import type { EntryStore } from './entry-store.ts';
import type { KeyService } from './key-service.ts';

/** What the flows work on. */
export interface Backend {
  readonly keys: KeyService;
  readonly entries: EntryStore;
}
