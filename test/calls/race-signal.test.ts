import { expect, it } from 'vitest';
import type { KeyService } from '../../src/backend/key-service.ts';
import { raceKeys } from '../../src/calls/race-signal.ts';
import { checkContext } from '../../src/model/context.ts';

const context = checkContext([]);
const reason = new Error('the reason');

/** A service that answers only when it is told to, and does not heed its signal. */
function startSlowService(): { keys: KeyService; answer: () => void; given: Uint8Array } {
  const given = new Uint8Array(64).fill(7);
  let answer = (): void => undefined;
  const told = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const keys: KeyService = {
    warmUp: () => undefined,
    generate: () => told.then(() => ({ plaintext: given, wrapped: new Uint8Array(4) })),
    unwrap: () => told.then(() => given),
    wrap: () => told.then(() => given),
    rewrap: () => told.then(() => undefined),
    withSignal: () => keys,
  };
  return { keys, answer, given };
}

const CALLS: Readonly<Record<string, (keys: KeyService) => Promise<unknown>>> = {
  generate: (keys) => keys.generate(context),
  unwrap: (keys) => keys.unwrap(new Uint8Array(4), context),
};

it.each(Object.keys(CALLS))('a data key that arrives after an abort is wiped: %s', async (name) => {
  const { keys, answer, given } = startSlowService();
  const controller = new AbortController();
  const call = CALLS[name]?.(raceKeys(keys, controller.signal));
  controller.abort(reason);
  await expect(call).rejects.toBe(reason);
  expect(given).toEqual(new Uint8Array(64).fill(7));
  answer();
  await new Promise((resolve) => setImmediate(resolve));
  expect(given).toEqual(new Uint8Array(64));
});

it.each(Object.keys(CALLS))('a data key that a caller gets is not wiped: %s', async (name) => {
  const { keys, answer, given } = startSlowService();
  const controller = new AbortController();
  const call = CALLS[name]?.(raceKeys(keys, controller.signal));
  answer();
  await call;
  controller.abort(reason);
  await new Promise((resolve) => setImmediate(resolve));
  expect(given).toEqual(new Uint8Array(64).fill(7));
});

it('an abort at any moment either wipes the data key or leaves it to the caller', async () => {
  for (let turns = 0; turns < 8; turns += 1) {
    const { keys, answer, given } = startSlowService();
    const controller = new AbortController();
    const call = raceKeys(keys, controller.signal).unwrap(new Uint8Array(4), context);
    const isGiven = call.then(
      () => true,
      () => false,
    );
    answer();
    for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
    controller.abort(reason);
    await new Promise((resolve) => setImmediate(resolve));
    expect(given[0], `${turns} turns`).toBe((await isGiven) ? 7 : 0);
  }
});

it('what a service of the caller gives is not looked into', async () => {
  const controller = new AbortController();
  const keys = { rewrap: () => Promise.resolve(undefined) } as unknown as KeyService;
  const call = raceKeys(keys, controller.signal).rewrap(new Uint8Array(4), context);
  controller.abort(reason);
  await expect(call).rejects.toBe(reason);
});
