import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CredstashError } from '../../errors.ts';
import { shellWord } from '../../shell-word.ts';
import {
  attempt,
  type CheckOptions,
  type Checks,
  dubious,
  fine,
  type Step,
  troubled,
} from '../../step.ts';
import { DRAFT, type Vault } from './vault.ts';

/** How many of SQLite's lines about a damaged file are told. */
const MAX_LINES = 5;

/** Looks at a vault's folder and files, and whether its database is whole. Nothing is created or written. */
export async function* checkVault(vault: Vault, { write, signal }: CheckOptions): Checks {
  const { folder } = vault;
  const checked = await attempt(() => {
    vault.check();
  }, signal);
  if (checked instanceof CredstashError) {
    yield troubled('vault', checked);
    return { keys: false, entries: false };
  }
  yield fine('vault', `${folder}, of mode ${modeOf(folder)}: nobody else can open it`);

  const key = await attempt(() => vault.masterKey().length, signal);
  yield key instanceof CredstashError
    ? troubled('master key', key)
    : fine('master key', `${key} bytes, of mode ${modeOf(join(folder, 'master.key'))}`);

  const entries = yield* database(vault, signal);
  // Last: to open the database undoes what a writer left that was cut short.
  yield* files(vault, write);
  return { keys: !(key instanceof CredstashError), entries };
}

/** Whether the database is whole. */
async function* database(
  vault: Vault,
  signal: AbortSignal | undefined,
): AsyncGenerator<Step, boolean> {
  const title = 'database';
  const found = await attempt(
    () =>
      vault.withDatabase((open) => {
        const first = (sql: string): string => String(Object.values(open.all(sql)[0] ?? {})[0]);
        return {
          version: first('SELECT sqlite_version()'),
          schema: first('PRAGMA user_version'),
          damage: open
            .all(`PRAGMA integrity_check(${MAX_LINES})`)
            .map((row) => String(Object.values(row)[0]))
            .filter((line) => line !== 'ok'),
          entries: first('SELECT count(*) FROM entries'),
          names: first('SELECT count(DISTINCT name) FROM entries'),
        };
      }),
    signal,
  );
  if (found instanceof CredstashError) {
    yield troubled(title, found);
    return false;
  }
  const { version, schema, damage, entries, names } = found;
  if (damage.length > 0) {
    const error = new CredstashError('INTEGRITY', `it is damaged: ${damage.join('; ')}`, {
      hint: 'restore its files from a backup',
    });
    yield troubled(title, error);
    return false;
  }
  yield fine(title, `whole, by SQLite ${version}, schema ${schema}`);
  yield fine(title, `${entries} entries of ${names} names`);
  return true;
}

function* files({ folder }: Vault, write: boolean): Generator<Step> {
  const path = join(folder, 'vault.db');
  const mode = modeOf(path);
  // Windows has no such bits.
  if (process.platform !== 'win32' && !mode.endsWith('00')) {
    const found = `${path} is of mode ${mode}: nobody else reaches it, but a copy of it would be open to others`;
    yield dubious('vault', found, `chmod 600 ${shellWord(path)}`);
  }
  if (isWritable(folder) && isWritable(path)) yield fine('writer', 'the vault can be written to');
  else if (write) {
    const error = new CredstashError('VAULT_PERMISSIONS', `the vault ${folder} is read-only`);
    yield troubled('writer', error);
  } else yield fine('writer', 'the vault is read-only, which is enough for who reads');
  const drafts = readdirSync(folder).filter((each) => DRAFT.test(each)).length;
  if (drafts > 0) {
    const found = `${drafts} files of first puts that were cut short, or are under way`;
    yield dubious('vault', found, 'the next put removes them');
  }
}

/** Whether this process may write to it. */
function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** As chmod has it. */
function modeOf(path: string): string {
  return (statSync(path).mode & 0o777).toString(8);
}
