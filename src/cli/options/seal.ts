import type { Context } from '../../model/context.ts';
import type { PutOptions } from '../../operations/options.ts';
import type { Io } from '../terminal/io.ts';
import { defineOptions, type OptionSpec, type OptionValues } from './define.ts';
import { chooseCipher } from './settings.ts';
import { checkKey } from './trust.ts';

export const KEY_OPTION = defineOptions({
  key: {
    flags: '-k, --key <key>',
    description: 'KMS key: alias, id or ARN (default: alias/credstash)',
  },
});

const DIGEST_OPTION = defineOptions({
  digest: {
    flags: '-d, --digest <digest>',
    description: 'digest of the HMAC (default: SHA256)',
    shown: ['SHA256', 'SHA384', 'SHA512'],
  },
});

/** Makes the option --cipher. @param fallback the default, for the help */
export function cipherOption(fallback: string) {
  return {
    flags: '--cipher <cipher>',
    description: `the original credstash can read AES-256-CTR (default: ${fallback})`,
    shown: ['AES-256-GCM', 'AES-256-CTR'],
  } as const satisfies OptionSpec;
}

/** The options for the key, digest and cipher of an entry. */
export const CIPHER_OPTIONS = defineOptions({
  ...KEY_OPTION,
  ...DIGEST_OPTION,
  cipher: cipherOption('CREDSTASH_CIPHER, ~/.credstash, else AES-256-GCM'),
});

/** The options of the commands that store secrets: the cipher's, and the version and comment. */
export const SEAL_OPTIONS = defineOptions({
  ...KEY_OPTION,
  comment: { flags: '-c, --comment <comment>', description: 'a comment, which is not secret' },
  version: { flags: '-v, --version <version>', description: 'version to store (default: 1)' },
  autoversion: { flags: '-a, --autoversion', description: 'store the version after the newest' },
  ...CIPHER_OPTIONS,
});

type SealOptions = OptionValues<typeof SEAL_OPTIONS>;
type CipherOptions = OptionValues<typeof CIPHER_OPTIONS>;

/** Makes the options of `Credstash.put`. @throws CredstashError USAGE or KEY_NOT_TRUSTED if the settings forbid an option */
export function toPutOptions(options: SealOptions, context: Context, io: Io): PutOptions {
  checkKey(options);
  const { comment, version, autoversion, digest } = options;
  const cipher = chooseCipher(options);
  return { comment, version, autoversion, digest, context, cipher, onWarning: warningPrinter(io) };
}

/** Makes a function that prints the warnings of a put or a rollback. */
export function warningPrinter(io: Io): (message: string) => void {
  return (message) => {
    io.note(`credstash: warning: ${message}`);
  };
}

/** Lists the flags that seal under the same key, with the same digest and cipher. */
export function sealFlags({ key, digest, cipher }: CipherOptions): string[] {
  return Object.entries({ '-k': key, '-d': digest, '--cipher': cipher }).flatMap(([flag, value]) =>
    value === undefined ? [] : [flag, value],
  );
}
