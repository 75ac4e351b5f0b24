import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Context } from '../../model/context.ts';
import { CredstashError } from '../../errors.ts';
import { FORMATS } from '../../seal/formats.ts';
import { shellWord } from '../../util/shell-word.ts';
import {
  attempt,
  type CheckOptions,
  type Checks,
  warningStep,
  okStep,
  type Step,
  failedStep,
  versionsStep,
} from '../diagnosis.ts';
import { unpadVersion } from '../../model/version.ts';
import { RESTORE_HINT } from './errors.ts';
import { unwrapStored } from './key-service.ts';
import { DRAFT, type Vault } from './vault.ts';

const KEY = 'master key';

/** How many of SQLite's lines about a damaged file are reported. */
const MAX_LINES = 5;

/**
 * Checks a vault: its folder and files, the integrity of its database, whether its master key belongs to it, and whether a
 * stored entry opens. Creates and writes nothing.
 */
export async function* checkVault(vault: Vault, options: CheckOptions): Checks {
  const { write, signal } = options;
  const { folder } = vault;
  const checked = await attempt(() => {
    vault.check();
  }, signal);
  if (checked instanceof CredstashError) {
    yield failedStep('vault', checked);
    return { keys: false, entries: false };
  }
  yield okStep('vault', `${folder}, ${describeOwnership(folder)}`);

  const length = await attempt(() => vault.checkKeyFile(), signal);
  yield length instanceof CredstashError
    ? failedStep(KEY, length)
    : okStep(KEY, `${length} bytes, of mode ${readMode(join(folder, 'master.key'))}`);

  const count = yield* checkDatabase(vault, signal);
  const entries = count !== undefined;
  const keys =
    !(length instanceof CredstashError) && (yield* checkMasterKey(vault, count, options));
  // Last, because opening the database rolls back the transaction of a killed writer, which removes its journal.
  yield* checkFiles(vault, write);
  return { keys, entries };
}

/** Checks the master key against the vault's check value, if it has one, and opens a stored entry. @returns whether the key is usable */
async function* checkMasterKey(
  vault: Vault,
  count: number | undefined,
  { context, signal }: CheckOptions,
): AsyncGenerator<Step, boolean> {
  if (count === undefined) return true;
  const key = await attempt(() => vault.masterKey(), signal);
  if (key instanceof CredstashError) {
    yield failedStep(KEY, key);
    return false;
  }
  if (vault.isKeyProven) yield okStep(KEY, 'it is the one that this vault was made with');
  if (count > 0) yield* checkStoredEntry(vault, context, signal);
  return true;
}

/** Opens the first stored entry that the master key unwraps. */
async function* checkStoredEntry(
  vault: Vault,
  pairs: Context,
  signal: AbortSignal | undefined,
): AsyncGenerator<Step> {
  const title = 'stored entry';
  const found = await attempt(() => unwrapStored(vault, pairs, signal), signal);
  if (found instanceof CredstashError) yield failedStep(title, found);
  else if (found) {
    const { entry, dataKey } = found;
    const which = `version ${unpadVersion(entry.version)} of ${entry.name}`;
    const opened = await attempt(async () => {
      try {
        const { open } = await FORMATS[entry.cipher].load();
        (await open(entry, dataKey)).fill(0);
      } finally {
        dataKey.fill(0);
      }
    }, signal);
    yield opened instanceof CredstashError
      ? failedStep(title, new CredstashError(opened.code, `${which}: ${opened.message}`, opened))
      : okStep(title, `${which} opens`);
  } else {
    const hint = '`doctor({ context })` with the encryption context of one of them';
    const none = 'none opens without its encryption context';
    if (vault.isKeyProven) yield { title, state: 'unknown', found: none, hint };
    else
      yield warningStep(
        title,
        `${none}: whether the master key is this vault's is not known`,
        hint,
      );
  }
}

/** Checks the integrity of the database. @returns how many entries it has; undefined if it cannot be read or is damaged */
async function* checkDatabase(
  vault: Vault,
  signal: AbortSignal | undefined,
): AsyncGenerator<Step, number | undefined> {
  const title = 'database';
  const found = await attempt(
    () =>
      vault.withDatabase((open) => {
        const first = (sql: string): string => String(Object.values(open.all(sql)[0] ?? {})[0]);
        const damage = open
          .all(`PRAGMA integrity_check(${MAX_LINES})`)
          .map((row) => String(Object.values(row)[0]))
          .filter((line) => line !== 'ok');
        const isWhole = damage.length === 0;
        return {
          version: first('SELECT sqlite_version()'),
          schema: first('PRAGMA user_version'),
          damage,
          // Counting may never end in a damaged file.
          entries: isWhole ? Number(first('SELECT count(*) FROM entries')) : 0,
          names: isWhole ? first('SELECT count(DISTINCT name) FROM entries') : '',
          // The SQL equivalent of `isUnpadded`.
          unpadded: isWhole
            ? Number(
                first(
                  "SELECT count(*) FROM entries WHERE length(version) BETWEEN 1 AND 18 AND version NOT GLOB '*[^0-9]*'",
                ),
              )
            : 0,
        };
      }),
    signal,
  );
  if (found instanceof CredstashError) {
    yield failedStep(title, found);
    return undefined;
  }
  const { version, schema, damage, entries, names, unpadded } = found;
  if (damage.length > 0) {
    const error = new CredstashError('INTEGRITY', `it is damaged: ${damage.join('; ')}`, {
      hint: RESTORE_HINT,
    });
    yield failedStep(title, error);
    return undefined;
  }
  yield okStep(title, `whole, by SQLite ${version}, schema ${schema}`);
  yield okStep(title, `${entries} entries of ${names} names`);
  yield versionsStep(unpadded, 'all entries');
  return entries;
}

function* checkFiles({ folder }: Vault, write: boolean): Generator<Step> {
  const path = join(folder, 'vault.db');
  const mode = readMode(path);
  // Windows has no permission bits.
  if (process.platform !== 'win32' && !mode.endsWith('00')) {
    const found = `${path} is of mode ${mode}: nobody else reaches it, but a copy of it would be open to others`;
    yield warningStep('vault', found, `chmod 600 ${shellWord(path)}`);
  }
  const { nlink } = statSync(path);
  const drafts = readdirSync(folder).filter((each) => DRAFT.test(each)).length;
  if (nlink > 1 && drafts === 0) {
    const word = shellWord(path);
    const found = `${path} has ${nlink} names: a writer by another one could damage it`;
    yield warningStep('vault', found, `cp -p ${word} ${word}.copy && mv ${word}.copy ${word}`);
  }
  if (isWritable(folder) && isWritable(path)) yield okStep('writer', 'the vault can be written to');
  else if (write) {
    const error = new CredstashError('VAULT_PERMISSIONS', `the vault ${folder} is read-only`);
    yield failedStep('writer', error);
  } else yield okStep('writer', 'the vault is read-only, which is enough for who reads');
  if (drafts > 0) {
    const found = `${drafts} files of first puts that were cut short, or are under way`;
    yield warningStep('vault', found, 'the next put removes them');
  }
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Describes who can open the folder, as `Vault.check` has verified. */
function describeOwnership(folder: string): string {
  // Windows has no numeric owners and no permission bits.
  const user = process.geteuid?.();
  if (user === undefined) return 'closed to others if its access list says so';
  return `yours (user ${user}), of mode ${readMode(folder)}: no other user but root can open it`;
}

/** The permission bits in octal, as chmod takes them. */
function readMode(path: string): string {
  return (statSync(path).mode & 0o777).toString(8);
}
