import type { AwsSettings } from '../backend/aws/settings.ts';
import type { SetupOptions } from '../backend/setup.ts';
import { CredstashError } from '../errors.ts';
import type { PolicyOptions, Role } from '../iam-policy.ts';
import { SHORTEST_WATCH_INTERVAL_MS } from '../model/defaults.ts';
import type {
  ChangeOptions,
  CopyOptions,
  DeleteOptions,
  DoctorOptions,
  FindOptions,
  GetAllOptions,
  GetOptions,
  GlobRequest,
  LabelOptions,
  MigrateOptions,
  PruneOptions,
  PutAllOptions,
  PutFieldOptions,
  PutOptions,
  RewriteOptions,
  RollbackOptions,
  SecretRequest,
  WatchOptions,
} from '../operations/index.ts';
import type { CallDefaults, CredstashOptions, LocalOptions } from '../session.ts';
import type { CallOptions, ProgressOptions } from '../util/progress.ts';
import {
  bytes,
  callback,
  count,
  either,
  flag,
  type Kind,
  kind,
  list,
  milliseconds,
  number,
  object,
  oneOf,
  optional,
  optionsOf,
  pairs,
  record,
  secret,
  signal,
  text,
} from './kinds.ts';
import type { OutcomeOptions } from './outcomes.ts';
import type { CacheGetOptions, CacheOptions } from './cache-options.ts';

// Over 250 lines: the public API as data, one line for each option and each parameter.

/** A kind for each option of a type: the compiler misses none. */
type KindsOf<Options> = { readonly [Name in keyof Required<Options>]: Kind };

/** Checked where it is used, which tells more. */
const checkedLater: Kind = () => undefined;

const CALL: KindsOf<CallOptions> = { signal, timeoutMs: milliseconds(1) };
const PROGRESS: KindsOf<ProgressOptions> = { ...CALL, progress: callback };
const OUTCOMES: KindsOf<OutcomeOptions<never>> = { onOutcome: callback };

const WHICH = { version: text, exactVersion: flag, label: text, context: pairs };
const GET: KindsOf<GetOptions> = { ...CALL, ...WHICH, field: text };
/** The options that a put and the change of a field share. */
const PUT_ANY = {
  context: pairs,
  comment: text,
  digest: text,
  cipher: text,
  hmacAsText: flag,
  onWarning: callback,
} as const;
const PUT_UNLABELLED: KindsOf<Omit<PutOptions, 'label' | 'ifMissing'>> = {
  ...CALL,
  version: text,
  exactVersion: flag,
  autoversion: flag,
  ...PUT_ANY,
};
const PUT_FIELD: KindsOf<PutFieldOptions> = { ...CALL, ...PUT_ANY, label: text };
const PUT: KindsOf<PutOptions> = { ...PUT_UNLABELLED, label: text, ifMissing: flag };
const PUT_ALL: KindsOf<PutAllOptions> = { ...PUT_UNLABELLED, ...PROGRESS, skipUnchanged: flag };
const GET_ALL: KindsOf<GetAllOptions> = {
  ...PROGRESS,
  ...WHICH,
  glob: either(text, list('a string or a list of strings', text)),
  skipUndecryptable: flag,
};
const REQUEST: KindsOf<SecretRequest> = { ...WHICH, field: text, name: text, place: text };
const GLOB_REQUEST: KindsOf<GlobRequest> = { ...WHICH, glob: text };
const WATCH: KindsOf<WatchOptions> = {
  ...CALL,
  interval: milliseconds(SHORTEST_WATCH_INTERVAL_MS),
  onError: callback,
};
const FIND: KindsOf<FindOptions> = {
  ...PROGRESS,
  glob: text,
  context: pairs,
  allVersions: flag,
  ignoreFinalNewline: flag,
  skipUndecryptable: flag,
};
const DELETE: KindsOf<DeleteOptions> = {
  ...PROGRESS,
  version: text,
  exactVersion: flag,
  dryRun: flag,
  confirm: callback,
};
const CHANGE: KindsOf<ChangeOptions> = {
  ...PROGRESS,
  dryRun: flag,
  confirm: callback,
  maxConcurrency: count,
  rate: number('a number above 0', Number.MIN_VALUE),
};
const REWRITE: KindsOf<RewriteOptions> = { ...CHANGE, glob: text, context: pairs };
const PRUNE: KindsOf<PruneOptions> = {
  ...REWRITE,
  keep: count,
  olderThan: number('a number of milliseconds from 0 on', 0),
  verify: flag,
};
const MIGRATE: KindsOf<MigrateOptions> = { ...REWRITE, cipher: text };
const COPY: KindsOf<CopyOptions> = { ...REWRITE, latest: flag, onOvertaken: callback };
const ROLLBACK: KindsOf<RollbackOptions> = {
  ...CALL,
  version: text,
  context: pairs,
  label: text,
  cipher: text,
  digest: text,
  onWarning: callback,
};
const LABEL: KindsOf<LabelOptions> = { ...CALL, version: text };
const SETUP: KindsOf<SetupOptions> = {
  ...CALL,
  tags: pairs,
  createKey: flag,
  multiRegion: flag,
  pointInTimeRecovery: flag,
  deletionProtection: flag,
  creating: callback,
  done: callback,
};
const DOCTOR: KindsOf<DoctorOptions> = {
  ...CALL,
  context: pairs,
  write: flag,
  prefix: text,
  cipher: text,
};
const POLICY: KindsOf<PolicyOptions> = { fields: flag, name: text, context: pairs, account: text };
const ROLES = { reader: 0, writer: 0, admin: 0, setup: 0 } satisfies Record<Role, 0>;

const DEFAULTS: KindsOf<CallDefaults> = {
  ...CALL,
  cipher: text,
  digest: text,
  maxConcurrency: count,
  formats: checkedLater,
  trustNames: object,
};
const LOCAL: KindsOf<LocalOptions> = {
  ...DEFAULTS,
  create: flag,
  busyMs: number('a number of milliseconds from 0 on', 0),
};
const isText = (value: unknown): boolean => typeof value === 'string';
const credentials = kind(
  'a function, or an object with accessKeyId and secretAccessKey',
  (value) =>
    typeof value === 'function' ||
    (isText((Object(value) as { accessKeyId?: unknown }).accessKeyId) &&
      isText((Object(value) as { secretAccessKey?: unknown }).secretAccessKey)),
);
const client = kind(
  "a client of the AWS SDK's version 3",
  (value) => {
    const { send, config } = Object(value) as { send?: unknown; config?: { region?: unknown } };
    return typeof send === 'function' && typeof config?.region === 'function';
  },
  () => 'Credstash.inMemory() is for tests',
);
const services = (owner: string, each: Kind): Kind =>
  optionsOf({ owner, options: { dynamodb: each, kms: each } });
const AWS: KindsOf<AwsSettings> = {
  region: text,
  kmsRegion: text,
  fallbackRegions: checkedLater,
  profile: text,
  roleArn: text,
  externalId: text,
  table: text,
  key: text,
  trustedKeys: checkedLater,
  trustNames: object,
  credentials,
  endpoint: text,
  clients: services('clients', client),
  clientOptions: services('clientOptions', object),
  throttlingTimeoutMs: milliseconds(0),
  outage: object,
  shareCredentials: callback,
  onDefaultRegion: callback,
  waiting: callback,
  mfaCode: callback,
  unattended: flag,
};
const CONSTRUCTOR: KindsOf<CredstashOptions> = {
  ...AWS,
  ...DEFAULTS,
  onFallback: callback,
  staysInFallback: flag,
};
const INTERNAL = [
  'trustNames',
  'onDefaultRegion',
  'unattended',
  'outage',
  'shareCredentials',
  'staysInFallback',
  'known',
];

const CACHE: KindsOf<CacheOptions> = {
  ttl: milliseconds(0),
  maxStale: milliseconds(0),
  missingTtl: milliseconds(0),
  maxEntries: count,
  onError: callback,
};
const CACHE_GET: KindsOf<CacheGetOptions> = {
  ...GET,
  maxAge: milliseconds(0),
  forceFetch: flag,
};

const name = text;
const variable = kind(
  'a string or undefined',
  (value) => value === undefined || typeof value === 'string',
);
const request = optionsOf({
  owner: 'a secret that is wanted',
  options: REQUEST,
  required: ['name'],
  // What `list` gives can be wanted as it is.
  open: ['labels'],
});
const globRequest = optionsOf({
  owner: 'secrets that are watched',
  options: GLOB_REQUEST,
  required: ['glob'],
  open: ['labels', 'name'],
});
const watched: Kind = (value) =>
  typeof value === 'object' && value !== null && 'glob' in value
    ? globRequest(value)
    : request(value);
const stored = optionsOf({
  owner: 'a secret of putAll',
  options: { name, value: secret },
  required: ['name', 'value'],
});

/** The last parameter of `owner`, which may be left out if no option is required. */
const options = (owner: string, kinds: Readonly<Record<string, Kind>>, ...required: string[]) => {
  const each = optionsOf({ owner, options: kinds, internal: INTERNAL, required });
  return { options: required.length === 0 ? optional(each) : each };
};

/** The parameters of each call, in their order. */
const SIGNATURES = {
  'new Credstash': options('new Credstash', CONSTRUCTOR),
  'Credstash.local': { folder: text, ...options('Credstash.local', LOCAL) },
  'Credstash.inMemory': options('Credstash.inMemory', DEFAULTS),
  'Credstash.over': {
    backend: optionsOf({
      owner: 'a backend',
      options: { keys: object, entries: object },
      required: ['keys', 'entries'],
      open: [],
    }),
    ...options('Credstash.over', DEFAULTS),
  },
  put: { name, value: secret, ...options('put', PUT) },
  putField: { name, field: text, value: secret, ...options('putField', PUT_FIELD) },
  removeField: { name, field: text, ...options('removeField', PUT_FIELD) },
  putJson: { name, value: checkedLater, ...options('putJson', PUT) },
  get: { name, ...options('get', GET) },
  getText: { name, ...options('getText', GET) },
  getJson: { name, ...options('getJson', GET) },
  getOptional: { name, ...options('getOptional', GET) },
  getMany: {
    wanted: list('a list of objects, each with the name of a secret', request),
    ...options('getMany', { ...PROGRESS, known: object }),
  },
  resolveReferences: {
    variables: record('an object of variables', variable),
    ...options('resolveReferences', { ...CALL, context: pairs }),
  },
  render: { template: bytes, ...options('render', { ...PROGRESS, context: pairs }) },
  getAll: options('getAll', GET_ALL),
  find: { value: secret, ...options('find', FIND) },
  putAll: {
    secrets: list('a list of objects, each with name and value', stored),
    ...options('putAll', { ...PUT_ALL, ...OUTCOMES }),
  },
  watch: {
    wanted: list('a list of objects, each with the name of a secret or with a glob', watched),
    ...options('watch', WATCH),
  },
  names: options('names', PROGRESS),
  list: { glob: optional(text), ...options('list', PROGRESS) },
  headers: { glob: optional(text), ...options('headers', PROGRESS) },
  history: { name, ...options('history', PROGRESS) },
  rollback: { name, ...options('rollback', ROLLBACK) },
  label: { name, label: text, ...options('label', LABEL) },
  unlabel: { name, label: text, ...options('unlabel', CALL) },
  delete: { name, ...options('delete', { ...DELETE, ...OUTCOMES }) },
  prune: options('prune', { ...PRUNE, ...OUTCOMES }, 'keep'),
  rekey: options('rekey', { ...REWRITE, ...OUTCOMES }),
  migrate: options('migrate', { ...MIGRATE, ...OUTCOMES }),
  padVersions: options('padVersions', { ...REWRITE, ...OUTCOMES }),
  copy: { to: object, ...options('copy', { ...COPY, ...OUTCOMES }) },
  setup: options('setup', SETUP),
  doctor: options('doctor', DOCTOR),
  policy: { role: oneOf(Object.keys(ROLES)), ...options('policy', POLICY) },
  createCache: options('createCache', CACHE),
  'new SecretCache': { source: callback, ...options('new SecretCache', CACHE) },
  'cache.get': { name, ...options('get of a cache', CACHE_GET) },
  'cache.getText': { name, ...options('getText of a cache', CACHE_GET) },
  'cache.getJson': { name, ...options('getJson of a cache', CACHE_GET) },
  'cache.getOptional': { name, ...options('getOptional of a cache', CACHE_GET) },
  'cache.refresh': { name, ...options('refresh', GET) },
} satisfies Readonly<Record<string, Readonly<Record<string, Kind>>>>;

/**
 * Checks the arguments of a call by their types: callers without TypeScript give anything. What a text must be is checked where
 * it is used.
 *
 * @param given the `arguments` of the call, so that one too many is found
 * @throws CredstashError USAGE, which names the argument, what was wanted and what came, without its value
 */
export function checkArguments(call: keyof typeof SIGNATURES, given: ArrayLike<unknown>): void {
  const parameters = Object.entries<Kind>(SIGNATURES[call]);
  const usage = `it is called as ${call}(${parameters.map(([each]) => each).join(', ')})`;
  for (const [i, [parameter, accepts]] of parameters.entries()) {
    const fault = accepts(given[i]);
    if (!fault) continue;
    const message = `${call}: ${parameter}${fault.path} ${fault.problem}`;
    throw new CredstashError('USAGE', message, { hint: fault.hint ?? usage });
  }
  const surplus = Array.from(given).slice(parameters.length);
  if (surplus.every((each) => each === undefined)) return;
  const most = `${parameters.length} argument${parameters.length === 1 ? '' : 's'}`;
  throw new CredstashError('USAGE', `${call} takes ${most}, not ${given.length}`, { hint: usage });
}
