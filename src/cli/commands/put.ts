import type { Command } from 'commander';
import { parseContext } from '../../context.ts';
import { MAX_ITEM_BYTES } from '../../entry.ts';
import { CredstashError } from '../../errors.ts';
import { visible } from '../../format/visible.ts';
import { chooseBackend } from '../backend.ts';
import { readArgument } from '../input.ts';
import type { Io } from '../io.ts';
import { addSealOptions, sealOptions, type SealOptions } from '../seal-options.ts';
import { optionsOf } from '../settings.ts';

interface PutOptions extends SealOptions {
  readonly prompt?: true;
  readonly literal?: true;
}

const VALUE_HELP = `
VALUE is one of
  -           the bytes of stdin, unchanged
  @FILE       the bytes of FILE, unchanged
  left out    asked for on a terminal and not shown, else stdin
  other text  the text itself: it shows in the process list of this machine and
              stays in the shell's history, so prefer one of the above
A VALUE that begins with - and has no space in it stands behind --. One that
begins with @ is taken as it stands with --literal.`;

export function register(command: Command, io: Io): void {
  command
    .description('Store a secret, as version 1 or the one that -v or -a says.')
    .argument('<name>', 'name of the secret')
    .argument('[value]', 'the secret, or where it is read from')
    .argument('[context...]', 'encryption context as KEY=VALUE; a get must give the same')
    .option(
      '-P, --prompt',
      'ask for the value on the terminal; the context may follow NAME at once',
    )
    .option('--literal', 'take VALUE as it stands, also - and @…')
    .addHelpText('after', VALUE_HELP);
  addSealOptions(command).action(
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
      const seal = sealOptions(options, context, io);
      // A setting that cannot be is told before anybody is asked.
      const withBackend = chooseBackend(command, io, { create: true });
      const secret = await readValue(io, name, value, options);
      await withBackend(async (credstash) => {
        await credstash.put(name, secret, seal);
        await io.write(`${visible(name)} has been stored\n`);
      });
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
  return options.literal ? Buffer.from(value, 'utf8') : readArgument(io, value, MAX_ITEM_BYTES);
}
