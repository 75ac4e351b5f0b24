export { CredStash, CredStash as default } from './cred-stash.ts';
export type * from './options.ts';
export type { SdkOptions } from './sdk2-options.ts';
