export type { AwsSettings } from './backend/aws/settings.ts';
export type { Wait, OnWait as Waiting } from './backend/aws/throttle-retry.ts';
export type { Backend } from './backend/backend.ts';
export type { EntryStore, Found } from './backend/entry-store.ts';
export type { DataKey, KeyService } from './backend/key-service.ts';
export { type CacheOptions, SecretCache } from './secret-cache.ts';
export { checkContext, type Context, type ContextUse } from './model/context.ts';
export {
  Credstash,
  type CredstashOptions,
  type LocalOptions,
  type Policy,
  type PolicyOptions,
  type Role,
  type SetupOptions,
  type SetupStep,
} from './credstash.ts';
export type { DoctorOptions, Step } from './operations/doctor.ts';
export type { Cipher, Entry, EntryHeader, Secret } from './model/entry.ts';
export { CredstashError, type ErrorCode, type Failure, hasCode } from './errors.ts';
export type {
  CallOptions,
  Change,
  ChangeOptions,
  CopyOptions,
  DeleteOptions,
  Deletion,
  FlowDefaults,
  GetAllOptions,
  GetOptions,
  MigrateOptions,
  Overtaken,
  Progress,
  ProgressOptions,
  PruneOptions,
  PutAllOptions,
  PutOptions,
  PutOutcome,
  RewriteOptions,
  RollbackOptions,
  RolledBack,
  Stored,
  Target,
  SecretRequest as Wanted,
} from './flows.ts';
export { Flows } from './flows.ts';
export { isReference, parseReference, type Reference } from './model/reference.ts';
export type { AllowedFormats } from './model/trust.ts';
