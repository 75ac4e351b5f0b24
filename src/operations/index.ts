/*
 * The operations that `Credstash` calls, with the types of their options and results. Only types are exported of the heavy
 * ones (operations on many entries, doctor), which `Credstash` imports on their first call.
 */
export { checkChange } from './batch.ts';
export type { CopyOptions, Overtaken } from './copy.ts';
export { type DeleteOptions, type DeleteOutcome, type Deletion, deleteVersions } from './delete.ts';
export type { DoctorOptions } from './doctor.ts';
export { get, takeField, textFrom } from './get.ts';
export type { Findings, FindOptions, FoundValue } from './find.ts';
export { getAll, type GetAllOptions } from './get-all.ts';
export { getMany, type KnownSecrets, resolveReferences, type SecretRequest } from './get-many.ts';
export { type Labelled, type LabelOptions, moveLabel, removeLabel } from './label.ts';
export { findNewestVersion, list, listHistory, listNames, streamHeaders } from './list.ts';
export type { MigrateOptions } from './migrate.ts';
export type {
  Change,
  ChangeOptions,
  GetOptions,
  Limit,
  PutOptions,
  RewriteOptions,
  Target,
} from './options.ts';
export type { PruneOptions } from './prune.ts';
export { expectNoVersion, put, type Stored } from './put.ts';
export type { FieldChange, PutFieldOptions } from './put-field.ts';
export { putAll, type PutAllOptions, type PutOutcome } from './put-all.ts';
export { render } from './render.ts';
export { rollback, type RollbackOptions, type RolledBack } from './rollback.ts';
export type { GlobRequest, WatchedSecret, WatchOptions, WatchRequest } from './watch.ts';
