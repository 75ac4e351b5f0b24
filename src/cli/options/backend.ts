import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { formatDuration } from '../../model/age.ts';
import type { Wait } from '../../backend/aws/throttle-retry.ts';
import type { Changes } from '../../calls/changes.ts';
import type { Credstash } from '../../credstash.ts';
import type { CredstashOptions } from '../../session.ts';
import { CredstashError, hasCode } from '../../errors.ts';
import type { Io } from '../terminal/io.ts';
import { hintInPlace } from '../advice/same-place.ts';
import type { GlobalOptions } from './global.ts';
import { type Settings, resolveSettings } from './settings.ts';

/** Opens a backend, runs `use` on it, and closes it. Each step of `changes` is printed before the next one is taken. */
export type WithBackend = (
  use: (credstash: Credstash, changes: Changes) => Promise<void>,
) => Promise<void>;

/**
 * Chooses the backend by the options of a command and by the settings, and checks them all. Opens the backend, and loads its
 * modules, only when the returned function is called, so that help and usage errors stay quick.
 *
 * @param flags the options of the command line
 * @throws CredstashError USAGE
 */
export function chooseBackend(
  flags: GlobalOptions & { readonly key?: string },
  io: Io,
  options: OpenOptions = {},
): WithBackend {
  const settings = resolveSettings(flags);
  return async (use) => {
    const wasMissing = options.create && settings.backend === 'local' && !hasVault(settings.folder);
    const { credstash, changes } = await open(settings, io, options);
    try {
      await use(credstash, changes);
    } catch (caught) {
      const error = await advise(caught, credstash, settings, io);
      if (!(error instanceof CredstashError) || error.hint === undefined) throw error;
      const hint = hintInPlace(flags, error.hint);
      throw hint === error.hint ? error : error.reworded(error.message, hint);
    } finally {
      if (wasMissing && hasVault(settings.folder) && io.isTerminal('stderr')) {
        io.note(`credstash: note: the vault ${settings.folder} was created; back up this folder`);
      }
      await credstash.close();
    }
  };
}

function hasVault(folder: string): boolean {
  return existsSync(join(folder, 'vault.db'));
}

/** Adds a near name to the error of a missing secret or label. */
async function advise(
  error: unknown,
  credstash: Credstash,
  { backend }: Settings,
  io: Io,
): Promise<unknown> {
  if (!hasCode(error, 'SECRET_NOT_FOUND', 'VERSION_NOT_FOUND')) return error;
  const { adviseNotFound, LOOK_MS } = await import('../advice/not-found.ts');
  // A look must not take the rest of the command's time: the error would become a TIMEOUT.
  const hasTime = io.deadline === undefined || io.deadline.end - Date.now() > 2 * LOOK_MS;
  const mayLook = hasTime && (backend === 'local' || io.isTerminal('stderr'));
  return adviseNotFound(error, credstash, mayLook);
}

/**
 * How long a throttled request is repeated. It is longer than in the library, because a person would rather wait. The original
 * creates tables of one read unit. A page of 1 MB uses 256 units, so that the next page may wait for over four minutes.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/provisioned-capacity-mode.html
 */
const LONGEST_THROTTLING_MS = 600_000;

interface OpenOptions {
  /** Whether to create a missing vault. */
  readonly create?: boolean;
  /** Whether nobody can be prompted, or told of a wait. */
  readonly unattended?: boolean;
  /** Whether the command itself reports its region and the region's source. */
  readonly saysRegion?: boolean;
  /** Whether it runs for as long as a program, and so returns to the first region after an outage. */
  readonly follows?: boolean;
}

/** Opens the backend that `settings` choose. The caller must close it. */
export async function open(
  settings: Settings,
  io: Io,
  { create = false, unattended = false, saysRegion = false, follows = false }: OpenOptions,
): Promise<{ readonly credstash: Credstash; readonly changes: Changes }> {
  // Loaded on use, because help and usage errors do not need it.
  const { changesOf, Credstash } = await import('../../credstash.ts');
  const signal = io.deadline?.signal;
  if (settings.backend === 'local') {
    const { folder, formats, trustNames } = settings;
    const busyMs = io.deadline && Math.max(0, io.deadline.end - Date.now());
    const vault = Credstash.local(folder, { create, formats, trustNames, signal, busyMs });
    return { credstash: vault, changes: changesOf(vault) };
  }
  const { backend: _, ...awsSettings } = settings;
  const warn = saysRegion ? {} : { onDefaultRegion: warnOfDefaultRegion(io) };
  const credstash = new Credstash({
    ...{ ...awsSettings, signal, unattended, throttlingTimeoutMs: LONGEST_THROTTLING_MS },
    staysInFallback: !follows,
    ...(unattended ? {} : { ...interactiveOptions(io), onFallback: warnOfFallback(io), ...warn }),
  });
  return { credstash, changes: changesOf(credstash) };
}

/** The commands that have been warned. A copy opens two tables, but warns once. */
const warned = new WeakSet<Io>();

/** Makes a function that warns once that no region is set: us-east-1 may have another table of the same name. */
function warnOfDefaultRegion(io: Io): NonNullable<CredstashOptions['onDefaultRegion']> {
  return (service, region) => {
    if (warned.has(io)) return;
    warned.add(io);
    const [setting, option] =
      service === 'KMS' ? ['region of the KMS key', '--kms-region'] : ['region', '-r'];
    io.note(
      `credstash: warning: no ${setting} is set, so ${region} is taken: set AWS_REGION or give ${option}`,
    );
  };
}

/** Makes a function that warns when another region than the first one answers, once for each change of the region. */
function warnOfFallback(io: Io): NonNullable<CredstashOptions['onFallback']> {
  let told: string | undefined;
  return ({ region, unreachable }) => {
    if (told === region) return;
    told = region;
    for (const { error } of unreachable) io.note(`credstash: warning: ${error.message}`);
    io.note(`credstash: warning: ${region} answered, whose replica may be behind`);
  };
}

/** The options that involve a person: the MFA code and the display of waits. */
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

/** Describes a wait: its subject, its time so far, and the longest time left. */
function describeWait(wait: Wait, end = Infinity): string {
  const now = Date.now();
  const rest = Math.min(wait.until, end) - now;
  // The estimate of the end may be over, if an answer arrives slowly. Then leave it out.
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
