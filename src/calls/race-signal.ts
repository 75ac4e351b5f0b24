import { setMaxListeners } from 'node:events';
import type { KeyService } from '../backend/key-service.ts';

/** The same service, as `raceSignal` gives it. A data key that arrives after its call has ended is wiped. */
export function raceKeys(keys: KeyService, signal: AbortSignal): KeyService {
  return raceSignal(keys, signal, (result) => {
    // A wrapped or unwrapped data key, or what `generate` gives. A service of the caller's own may give anything.
    const { plaintext = result } = Object(result) as { readonly plaintext?: unknown };
    if (plaintext instanceof Uint8Array) plaintext.fill(0);
  });
}

/**
 * The same object, whose promises reject, and whose iterables end, as soon as `signal` is aborted, with its reason. So a call ends
 * also if a backend does not heed its signal, or waits for credentials; and nothing of the call goes on behind its caller's back.
 *
 * @param discard gets the result of a promise that ends after `signal` was aborted, which no caller gets
 */
export function raceSignal<T extends object>(
  target: T,
  signal: AbortSignal,
  discard?: (result: unknown) => void,
): T {
  return new Proxy(target, {
    get: (_, name) => {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => {
        const result: unknown = Reflect.apply(member, target, args);
        if (result instanceof Promise) return untilAborted(result, signal, discard);
        return isIterable(result) ? eachUntilAborted(result, signal) : result;
      };
    },
  });
}

/** Lets any number of requests wait for one signal, of which Node.js warns from the eleventh on. */
export function allowManyListeners(signal: AbortSignal | undefined): void {
  if (signal) setMaxListeners(0, signal);
}

/**
 * What a promise gives, unless `signal` is aborted before.
 *
 * @param discard gets what the promise gives after that
 * @throws the reason of `signal`
 */
export async function untilAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal,
  discard: (result: T) => void = () => undefined,
): Promise<T> {
  let isAborted = false;
  let abort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => {
      isAborted = true;
      reject(signal.reason as Error);
    };
  });
  // Once the signal is aborted, the race is lost, so that no caller gets what is discarded.
  const result = promise.then((given) => {
    if (isAborted) discard(given);
    return given;
  });
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort);
  try {
    return await Promise.race([result, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

async function* eachUntilAborted<T>(
  items: AsyncIterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T> {
  const iterator = items[Symbol.asyncIterator]();
  try {
    for (;;) {
      const result = await untilAborted(iterator.next(), signal);
      if (result.done) return;
      yield result.value;
    }
  } finally {
    // Do not wait for the return: it comes after the request under way, which may never end.
    iterator.return?.().catch(() => undefined);
  }
}

function isIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}
