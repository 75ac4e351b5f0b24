export { type AwsSettings, openAws } from './backend/aws/index.ts';
export type { EntryStore, Found } from './backend/entry-store.ts';
export type { DataKey, KeyService } from './backend/key-service.ts';
export { openLocal } from './backend/local/index.ts';
export { checkContext, type Context } from './context.ts';
export {
  Credstash,
  type GetAllOptions,
  type GetOptions,
  type Progress,
  type ProgressOptions,
  type PutAllOptions,
  type PutOptions,
  type PutOutcome,
  type Wanted,
} from './credstash.ts';
export type { Cipher, Entry, EntryHeader, Secret } from './entry.ts';
export { CredstashError, type ErrorCode, type Failure, hasCode } from './errors.ts';
export { isReference, parseReference, type Reference } from './reference.ts';
