import type { AllowedFormats } from '../model/trust.ts';
import type { EntryStore } from './entry-store.ts';
import type { KeyService } from './key-service.ts';

/** What the flows work on. */
export interface Backend {
  readonly keys: KeyService;
  readonly entries: EntryStore;
  /** Which formats are opened and written, as the flows were told; default: both. */
  readonly formats?: AllowedFormats | undefined;
}
