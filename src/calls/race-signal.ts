import { setMaxListeners } from 'node:events';

/**
 * The same object, whose promises reject, and whose iterables end, as soon as `signal` is aborted, with its reason. So a call ends
 * also if a backend does not heed its signal, or waits for credentials; and nothing of the call goes on behind its caller's back.
 */
export function raceSignal<T extends object>(target: T, signal: AbortSignal): T {
  return new Proxy(target, {
    get: (_, name) => {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => {
        const result: unknown = Reflect.apply(member, target, args);
        if (result instanceof Promise) return untilAborted(result, signal);
        return isIterable(result) ? eachUntilAborted(result, signal) : result;
      };
    },
  });
}

/** Lets any number of requests wait for one signal, of which Node.js warns from the eleventh on. */
export function allowManyListeners(signal: AbortSignal | undefined): void {
  if (signal) setMaxListeners(0, signal);
}

/** What a promise gives, unless `signal` is aborted before. @throws its reason */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let abort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => {
      reject(signal.reason as Error);
    };
  });
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort);
  try {
    return await Promise.race([promise, aborted]);
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
