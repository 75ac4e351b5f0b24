import { formatDuration } from '../../model/age.ts';
import type { Wait } from '../../backend/aws/throttle-retry.ts';
import type { Changes } from '../../calls/changes.ts';
import type { Credstash } from '../../credstash.ts';
import type { CredstashOptions } from '../../session.ts';
import { CredstashError } from '../../errors.ts';
import type { Io } from '../terminal/io.ts';
import { hintInPlace } from '../advice/same-place.ts';
import type { GlobalOptions } from './global.ts';
import { type Settings, resolveSettings } from './settings.ts';

/** Opens a backend, runs `use` on it, and closes it. Each step of `changes` is printed before the next one is taken. */
export type WithBackend = (
  use: (credstash: Credstash, changes: Changes) => Promise<void>,
) => Promise<void>;

/**
 * The only choice of a backend: what the options of a command ask for, and the settings behind them, all checked here.
 * It is opened when what this returns is called. What is heavy is loaded there and nowhere before, so that help and
 * a usage error do without.
 *
 * @throws CredstashError USAGE
 */
export function chooseBackend(
  given: GlobalOptions & { readonly key?: string },
  io: Io,
  options: OpenOptions = {},
): WithBackend {
  const settings = resolveSettings(given);
  return async (use) => {
    const { credstash, changes } = await open(settings, io, options);
    try {
      await use(credstash, changes);
    } catch (error) {
      if (!(error instanceof CredstashError) || error.hint === undefined) throw error;
      const hint = hintInPlace(given, error.hint);
      throw hint === error.hint ? error : error.reworded(error.message, hint);
    } finally {
      await credstash.close();
    }
  };
}

/**
 * How long a throttled request is sent again. A person would rather wait. A table of one read unit, as the original makes it, is
 * owed 256 units after a page of 1 MB, so the next page may have to wait for over four minutes.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/provisioned-capacity-mode.html
 */
const LONGEST_THROTTLING_MS = 600_000;

interface OpenOptions {
  /** Whether a vault that is not there is created. */
  readonly create?: boolean;
  /** Whether there is nobody who could be asked, or told of a wait. */
  readonly unattended?: boolean;
  /** Whether the command itself says which region it uses, and why. */
  readonly saysRegion?: boolean;
}

/** What `settings` choose; the caller closes it. */
export async function open(
  settings: Settings,
  io: Io,
  { create = false, unattended = false, saysRegion = false }: OpenOptions,
): Promise<{ readonly credstash: Credstash; readonly changes: Changes }> {
  // Loaded here: help and a usage error do without.
  const { changesOf, Credstash } = await import('../../credstash.ts');
  const signal = io.deadline?.signal;
  if (settings.backend === 'local') {
    const { folder, formats, trustNames } = settings;
    const busyMs = io.deadline && Math.max(0, io.deadline.end - Date.now());
    const vault = Credstash.local(folder, { create, formats, trustNames, signal, busyMs });
    return { credstash: vault, changes: changesOf(vault) };
  }
  const { backend: _, ...ofAws } = settings;
  const warn = saysRegion ? {} : { onDefaultRegion: warnOfDefaultRegion(io) };
  const credstash = new Credstash({
    ...{ ...ofAws, signal, unattended, throttlingTimeoutMs: LONGEST_THROTTLING_MS },
    staysInFallback: true,
    ...(unattended ? {} : { ...interactiveOptions(io), onFallback: warnOfFallback(io), ...warn }),
  });
  return { credstash, changes: changesOf(credstash) };
}

/** Those that have been told: a copy opens two tables. */
const warned = new WeakSet<Io>();

/** Warns, once for each command, that no region is set. The table of that name in us-east-1 may be another one. */
function warnOfDefaultRegion(io: Io): NonNullable<CredstashOptions['onDefaultRegion']> {
  return (service, region) => {
    if (warned.has(io)) return;
    warned.add(io);
    const [what, option] =
      service === 'KMS' ? ['region of the KMS key', '--kms-region'] : ['region', '-r'];
    io.note(
      `credstash: warning: no ${what} is set, so ${region} is taken: set AWS_REGION or give ${option}`,
    );
  };
}

/** Warns, once for each region, that another region than the first one answers. */
function warnOfFallback(io: Io): NonNullable<CredstashOptions['onFallback']> {
  let told: string | undefined;
  return ({ region, unreachable }) => {
    if (told === region) return;
    told = region;
    for (const { error } of unreachable) io.note(`credstash: warning: ${error.message}`);
    io.note(`credstash: warning: ${region} answered, whose replica may be behind`);
  };
}

/** What only a person can do, or wants to know. */
function interactiveOptions(io: Io): Pick<CredstashOptions, 'mfaCode' | 'waiting'> {
  return {
    mfaCode: (serial) => askMfaCode(io, serial),
    waiting: (wait) => {
      const { deadline } = io;
      if (deadline) deadline.waitsFor = wait && nameWait(wait);
      io.status.wait(
        wait && (() => describeWait(wait, deadline?.end)),
        wait && Date.now() - wait.since,
      );
    },
  };
}

function nameWait({ resource, state }: Wait): string {
  return state === undefined ? `waiting for ${resource}` : `${resource} ${state}`;
}

/** What is waited for, how long already, and for how long at most from now on. */
function describeWait(wait: Wait, end = Infinity): string {
  const now = Date.now();
  const rest = Math.min(wait.until, end) - now;
  // An answer that comes drop by drop takes longer than was thought.
  const atMost =
    rest > 0 && rest < Infinity ? `, at most ${formatDuration(inSeconds(rest))} more` : '';
  return `${nameWait(wait)}: ${formatDuration(inSeconds(now - wait.since))}${atMost}`;
}

function inSeconds(milliseconds: number): number {
  return Math.max(1000, Math.round(milliseconds / 1000) * 1000);
}

async function askMfaCode(io: Io, serial: string): Promise<string> {
  const code = await io.askHidden(
    `MFA code for ${serial}: `,
    new CredstashError(
      'NO_CREDENTIALS',
      `the MFA device ${serial} wants a code, and there is no terminal to ask on`,
    ),
  );
  return Buffer.from(code).toString('utf8').trim();
}
