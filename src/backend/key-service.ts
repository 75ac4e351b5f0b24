import { type Context, describeContext } from '../model/context.ts';
import { CredstashError } from '../errors.ts';

/** A data key as it is handed out: in the clear, and wrapped under the service's master key. */
export interface DataKey {
  /** 64 bytes, the caller's own copy: the caller wipes it. */
  readonly plaintext: Uint8Array;
  /** What unwraps to it again, under the same encryption context only. */
  readonly wrapped: Uint8Array;
}

/**
 * Makes and unwraps data keys under a master key that never leaves it.
 *
 * Every method throws only CredstashError: WRONG_CONTEXT when a wrapped key and a context do not belong
 * together (or the wrapped key is damaged: the two cannot be told apart), ENTRY_NOT_TRUSTED when a wrapped key is under a
 * master key that is not trusted, KEY_NOT_TRUSTED when this service's own is not, KEY_NOT_FOUND, KEY_UNUSABLE, VAULT_KEY_MISMATCH, ACCESS_DENIED,
 * NO_CREDENTIALS, CREDENTIALS_REFUSED, THROTTLED, UNREACHABLE. No error holds a key, wrapped or not.
 */
export interface KeyService {
  /** Says that a data key is needed soon, so that a remote service can be connected to. Sends no request, never throws. */
  warmUp(): void;
  /**
   * Refuses, before any request, to make or wrap data keys under a master key that is known not to be trusted. Each method
   * checks what is not known yet.
   *
   * @throws CredstashError KEY_NOT_TRUSTED
   */
  checkKey?(): void;
  /** A fresh random data key of 64 bytes, wrapped under `context`. */
  generate(context: Context): Promise<DataKey>;
  /** The data key of `wrapped`: the caller's own copy, which the caller wipes. */
  unwrap(wrapped: Uint8Array, context: Context): Promise<Uint8Array>;
  /** A data key of 64 bytes that another service made, wrapped as one of this service's own. */
  wrap(plaintext: Uint8Array, context: Context): Promise<Uint8Array>;
  /** `wrapped` under this service's present master key; undefined if it is under that one already. Nobody sees the data key. */
  rewrap(wrapped: Uint8Array, context: Context): Promise<Uint8Array | undefined>;
  /** The same service, whose requests end once `signal` is aborted: they reject with its reason. */
  withSignal(signal: AbortSignal): KeyService;
}

/** The error of a data key that does not unwrap, in the same words on every backend. */
export function wrongContext(service: string, context: Context, cause?: unknown): CredstashError {
  return new CredstashError(
    'WRONG_CONTEXT',
    `${service} refused to unwrap the data key: it was wrapped with another encryption context, or is damaged; ${describeContext(context)}`,
    { hint: 'give the same `context` as the put', cause },
  );
}
