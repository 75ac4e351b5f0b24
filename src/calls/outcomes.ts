import { CredstashError, type Failure, type Outcome, worstFirst } from '../errors.ts';
import { unpadVersion } from '../model/version.ts';
import { type CallOptions, combineSignals } from '../util/progress.ts';

/** The options of a call that has an outcome for each of several secrets or versions. */
export interface OutcomeOptions<T> {
  /**
   * Called with each outcome, in their order, as soon as it is known. The operation waits for the promise that it returns. What
   * it throws stops the operation, and the call rejects with it.
   */
  readonly onOutcome?: ((outcome: T) => void | Promise<void>) | undefined;
}

/** An operation that has an outcome for each of several secrets or versions. */
export interface Operation<T, O> {
  readonly start: (options: O) => AsyncIterable<T>;
  /** The work that failed, for an error: `secrets have not been stored`. */
  readonly words: string;
  /** Describes the table or vault, for an error. */
  readonly location: () => Promise<string>;
}

/**
 * Runs an operation to its end.
 *
 * @throws CredstashError with `outcomes`: if any failed, and if an error ended the whole operation
 */
export async function collectOutcomes<T extends Outcome, O extends CallOptions>(
  { start, words, location }: Operation<T, O>,
  { onOutcome, ...options }: O & OutcomeOptions<T>,
): Promise<T[]> {
  const found: T[] = [];
  // Stops the running work if `onOutcome` throws, so that it does not continue after the call has rejected.
  const stop = onOutcome && new AbortController();
  const signal = combineSignals(options.signal, stop?.signal);
  try {
    for await (const outcome of start({ ...(options as unknown as O), signal })) {
      found.push(outcome);
      try {
        await onOutcome?.(outcome);
      } catch (error) {
        stop?.abort(error);
        throw error;
      }
    }
  } catch (error) {
    const isOurs = error instanceof CredstashError && !stop?.signal.aborted;
    throw isOurs && found.length > 0 ? error.withOutcomes(found) : error;
  }
  const failures = found.flatMap(toFailure);
  if (failures.length === 0) return found;
  throw toError(found, failures, `${words} in ${await location()}`);
}

function toFailure({ name, version, error }: Outcome): Failure[] {
  if (!error) return [];
  return [
    { name: version === undefined ? name : `${name} version ${unpadVersion(version)}`, error },
  ];
}

function toError(
  outcomes: readonly Outcome[],
  failures: readonly Failure[],
  words: string,
): CredstashError {
  const [worst] = worstFirst(failures);
  // Only a list without failures has no worst one.
  if (!worst) return new CredstashError('UNEXPECTED', words, { outcomes });
  const { name, error } = worst;
  if (outcomes.length === 1) return error.withOutcomes(outcomes, failures);
  return new CredstashError(
    error.code,
    `${failures.length} of ${outcomes.length} ${words}; ${name}: ${error.message}`,
    { failures, outcomes, hint: error.hint, serviceMessage: error.serviceMessage },
  );
}
