export type { FallbackAnswer } from './backend/aws/fallback.ts';
export type { AwsSettings } from './backend/aws/settings.ts';
export type { Wait, OnWait } from './backend/aws/throttle-retry.ts';
export type { Backend } from './backend/backend.ts';
export type { Step } from './backend/diagnosis.ts';
export type { EntryStore, Found } from './backend/entry-store.ts';
export type { DataKey, KeyService } from './backend/key-service.ts';
export type { SetupOptions, SetupStep } from './backend/setup.ts';
export { Credstash } from './credstash.ts';
export type { OutcomeOptions } from './calls/outcomes.ts';
export type { SecretToPut } from './calls/secret-bytes.ts';
export type { SecretReader } from './calls/secret-reader.ts';
export {
  CredstashError,
  type ErrorCode,
  type Failure,
  hasCode,
  type Outcome,
  ServiceCause,
  type ServiceFacts,
} from './errors.ts';
export type { Policy, PolicyOptions, Role } from './iam-policy.ts';
export { checkContext, type Context, type ContextUse } from './model/context.ts';
export type { Cipher, Entry, EntryHeader, Secret } from './model/entry.ts';
export { isReference, parseReference, type Reference } from './model/reference.ts';
export type { AllowedFormats } from './model/trust.ts';
export type {
  Change,
  ChangeOptions,
  CopyOptions,
  DeleteOptions,
  DeleteOutcome,
  Deletion,
  DoctorOptions,
  FindOptions,
  Findings,
  FoundValue,
  GetAllOptions,
  GetOptions,
  GlobRequest,
  Labelled,
  LabelOptions,
  MigrateOptions,
  Overtaken,
  PruneOptions,
  PutAllOptions,
  PutFieldOptions,
  PutOptions,
  PutOutcome,
  RewriteOptions,
  RollbackOptions,
  RolledBack,
  SecretRequest,
  Stored,
  Target,
  WatchedSecret,
  WatchOptions,
  WatchRequest,
} from './operations/index.ts';
export { type CacheGetOptions, type CacheOptions, SecretCache } from './secret-cache.ts';
export type { CallDefaults, CredstashOptions, LocalOptions } from './session.ts';
export type { CallOptions, Progress, ProgressOptions } from './util/progress.ts';
