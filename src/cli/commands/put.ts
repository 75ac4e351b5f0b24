import { constants, createReadStream, openSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { parseContext } from '../../context.ts';
import { MAX_ITEM_BYTES } from '../../entry.ts';
import { CredstashError } from '../../errors.ts';
import { visible } from '../../format/visible.ts';
import { withBackend } from '../backend.ts';
import type { Io } from '../io.ts';
import { expandHome, optionsOf, settingsOf } from '../settings.ts';

interface PutOptions {
  readonly key?: string;
  readonly comment?: string;
  readonly version?: string;
  readonly autoversion?: true;
  readonly digest?: string;
  readonly prompt?: true;
  readonly cipher?: string;
  readonly literal?: true;
}

const VALUE_HELP = `
VALUE is one of
  -           the bytes of stdin, unchanged
  @FILE       the bytes of FILE, unchanged
  left out    asked for on a terminal and not shown, else stdin
  other text  the text itself: it shows in the process list of this machine and
              stays in the shell's history, so prefer one of the above
A VALUE that begins with - stands behind --. One that begins with @ is taken as
it stands with --literal.`;

export function registerPut(program: Command, io: Io): void {
  program
    .command('put')
    .summary('store a secret')
    .description('Store a secret, as version 1 or the one that -v or -a says.')
    .argument('<name>', 'name of the secret')
    .argument('[value]', 'the secret, or where it is read from')
    .argument('[context...]', 'encryption context as KEY=VALUE; a get must give the same')
    .option('-k, --key <key>', 'KMS key: alias, id or ARN (default: alias/credstash)')
    .option('-c, --comment <comment>', 'a comment, which is not secret')
    .option('-v, --version <version>', 'version to store (default: 1)')
    .option('-a, --autoversion', 'store the version after the newest')
    .option(
      '-d, --digest <digest>',
      'digest of the HMAC: SHA256, SHA384 or SHA512 (default: SHA256)',
    )
    .option(
      '-P, --prompt',
      'ask for the value on the terminal; the context may follow NAME at once',
    )
    .addOption(
      new Option(
        '--cipher <cipher>',
        'AES-256-GCM, or AES-256-CTR, which the original credstash can read (default: CREDSTASH_CIPHER, else AES-256-GCM)',
      ),
    )
    .option('--literal', 'take VALUE as it stands, also - and @…')
    .addHelpText('after', VALUE_HELP)
    .action(
      async (
        name: string,
        value: string | undefined,
        pairs: string[],
        _: unknown,
        command: Command,
      ) => {
        const options = optionsOf(command) as PutOptions;
        // With -P there is no VALUE to stand before the context; the original wanted one all the same.
        const asksOnly = options.prompt === true && value !== undefined;
        const context = parseContext(asksOnly && value.includes('=') ? [value, ...pairs] : pairs);
        const { comment, version, autoversion, digest } = options;
        const cipher = options.cipher ?? (process.env['CREDSTASH_CIPHER'] || undefined);
        // A setting that cannot be is told before anybody is asked.
        settingsOf(options);
        const secret = await readValue(io, name, value, options);
        await withBackend(
          command,
          io,
          async ({ credstash }) => {
            await credstash.put(name, secret, {
              context,
              ...(comment === undefined ? {} : { comment }),
              ...(version === undefined ? {} : { version }),
              ...(autoversion === undefined ? {} : { autoversion }),
              ...(digest === undefined ? {} : { digest }),
              ...(cipher === undefined ? {} : { cipher }),
            });
            await io.write(`${visible(name)} has been stored\n`);
          },
          { create: true },
        );
      },
    );
}

async function readValue(
  io: Io,
  name: string,
  value: string | undefined,
  options: PutOptions,
): Promise<Uint8Array> {
  if (options.prompt || (value === undefined && io.interactive)) {
    return io.askHidden(
      `${name}: `,
      new CredstashError('USAGE', 'there is no terminal to ask on', {
        hint: 'give the value on stdin, or as @FILE',
      }),
    );
  }
  if (value === undefined) {
    const bytes = await io.readAll(MAX_ITEM_BYTES);
    if (bytes.length > 0) return bytes;
    // Where nobody gave a stdin, as in cron, that is no secret that somebody meant.
    throw new CredstashError('USAGE', 'no value was given, and stdin is empty', {
      hint: 'to store an empty secret on purpose, give the value "" or -',
    });
  }
  if (!options.literal) {
    if (value === '-') return io.readAll(MAX_ITEM_BYTES);
    if (value.startsWith('@')) return readFile(value.slice(1));
  }
  return Buffer.from(value, 'utf8');
}

async function readFile(name: string): Promise<Uint8Array> {
  const path = expandHome(name);
  const chunks: Uint8Array[] = [];
  try {
    // One byte more than an entry can have: an endless file, and one that is too large, end there.
    const fd = openSync(path, constants.O_RDONLY);
    for await (const chunk of createReadStream(path, { fd, end: MAX_ITEM_BYTES })) {
      chunks.push(chunk as Uint8Array);
    }
  } catch (error) {
    // Neither the path nor the cause, which quotes it: it is a secret where somebody forgot --literal.
    const code = String((error as NodeJS.ErrnoException).code);
    throw new CredstashError(
      'USAGE',
      `the file that VALUE names after @ cannot be read (${code})`,
      {
        hint: 'a value that begins with @ is taken as it stands with --literal',
      },
    );
  }
  return Buffer.concat(chunks);
}
