export { type AwsSettings, openAws } from './backend/aws/index.ts';
export type { EntryStore } from './backend/entry-store.ts';
export type { DataKey, KeyService } from './backend/key-service.ts';
export { openLocal } from './backend/local/index.ts';
export { checkContext, type Context } from './context.ts';
export { Credstash, type GetOptions, type PutOptions } from './credstash.ts';
export type { Cipher, Entry, EntryHeader } from './entry.ts';
export { CredstashError, type ErrorCode, hasCode } from './errors.ts';
