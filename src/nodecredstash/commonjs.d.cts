/*
 * The types of the CommonJS form of index.ts. `require` gives the class itself, which has the other exports as properties:
 * `export =` says that, and there is no such declaration in an ES module.
 */
import { CredStash as Class } from './cred-stash.js';
import type {
  BareMethod,
  Callback,
  CredStashOptions,
  DeleteSecretOptions,
  Done,
  GetAllSecretsOptions,
  GetAllVersionsOptions,
  ListSecretsOptions,
  Method,
  NameOptions,
  PutSecretOptions,
  SecretOptions,
  WhereOptions,
} from './options.js';
import type { SdkOptions } from './sdk2-options.js';

declare class CredStash extends Class {}
declare namespace CredStash {
  export { Class as CredStash };
  export type {
    BareMethod,
    Callback,
    CredStashOptions,
    DeleteSecretOptions,
    Done,
    GetAllSecretsOptions,
    GetAllVersionsOptions,
    ListSecretsOptions,
    Method,
    NameOptions,
    PutSecretOptions,
    SdkOptions,
    SecretOptions,
    WhereOptions,
  };
}
export = CredStash;
