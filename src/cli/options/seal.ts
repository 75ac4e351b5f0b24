import { type Command, Option } from 'commander';
import type { Context } from '../../model/context.ts';
import type { PutOptions } from '../../operations/options.ts';
import type { Io } from '../terminal/io.ts';
import { chooseCipher } from './settings.ts';
import { checkKey } from './trust.ts';

/** How a secret is sealed, and as which version: what the commands that store have in common. */
export interface SealOptions {
  readonly key?: string;
  readonly comment?: string;
  readonly version?: string;
  readonly autoversion?: true;
  readonly digest?: string;
  readonly cipher?: string;
}

export type CipherOptions = Pick<SealOptions, 'key' | 'digest' | 'cipher'>;

export function addSealOptions(command: Command): Command {
  addKeyOption(command)
    .option('-c, --comment <comment>', 'a comment, which is not secret')
    .option('-v, --version <version>', 'version to store (default: 1)')
    .option('-a, --autoversion', 'store the version after the newest');
  return addCipherOption(addDigestOption(command));
}

/** With what an entry is sealed. */
export function addCipherOptions(command: Command): Command {
  return addCipherOption(addDigestOption(addKeyOption(command)));
}

export function addKeyOption(command: Command): Command {
  return command.option('-k, --key <key>', 'KMS key: alias, id or ARN (default: alias/credstash)');
}

function addDigestOption(command: Command): Command {
  return command.addOption(
    optionWithChoices('-d, --digest <digest>', 'digest of the HMAC (default: SHA256)', [
      'SHA256',
      'SHA384',
      'SHA512',
    ]),
  );
}

export function addCipherOption(
  command: Command,
  fallback = 'CREDSTASH_CIPHER, ~/.credstash, else AES-256-GCM',
): Command {
  return command.addOption(
    optionWithChoices(
      '--cipher <cipher>',
      `the original credstash can read AES-256-CTR (default: ${fallback})`,
      ['AES-256-GCM', 'AES-256-CTR'],
    ),
  );
}

/** An option with values that help and completion show, and that are checked where the others are. */
function optionWithChoices(flags: string, description: string, values: string[]): Option {
  const option = new Option(flags, description);
  option.argChoices = values;
  return option;
}

/** The same for Credstash. @throws CredstashError USAGE, KEY_NOT_TRUSTED for what the settings do not allow */
export function toPutOptions(options: SealOptions, context: Context, io: Io): PutOptions {
  checkKey(options);
  const { comment, version, autoversion, digest } = options;
  const cipher = chooseCipher(options);
  return { comment, version, autoversion, digest, context, cipher, onWarning: warningPrinter(io) };
}

/** Prints what a put or a rollback warns of. */
export function warningPrinter(io: Io): (message: string) => void {
  return (message) => {
    io.note(`credstash: warning: ${message}`);
  };
}

/** The words of a command line that seals under the same key, and in the same way. */
export function sealFlags({ key, digest, cipher }: CipherOptions): string[] {
  return Object.entries({ '-k': key, '-d': digest, '--cipher': cipher }).flatMap(([flag, value]) =>
    value === undefined ? [] : [flag, value],
  );
}
