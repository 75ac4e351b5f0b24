import { parseContext } from '../../model/context.ts';
import { MAX_ITEM_BYTES } from '../../model/item.ts';
import { CredstashError, hasCode } from '../../errors.ts';
import { escapeUnseen, formatVisibleJson } from '../../format/visible.ts';
import type { Credstash } from '../../credstash.ts';
import { checkLabel } from '../../model/label.ts';
import { defineCommand } from '../command.ts';
import { chooseBackend } from '../options/backend.ts';
import { readArgument } from '../files/input.ts';
import type { Io } from '../terminal/io.ts';
import { nameRemarks } from '../advice/name-remarks.ts';
import { warnOfOvertaken } from '../advice/overtaken.ts';
import { samePlaceCommand } from '../advice/same-place.ts';
import { SEAL_OPTIONS, sealFlags, toPutOptions } from '../options/seal.ts';
import { formatMove, addMoveHint } from './label.ts';

const VALUE_HELP = `VALUE is one of
  -           the bytes of stdin, unchanged
  @FILE       the bytes of FILE, unchanged
  left out    asked for on a terminal and not shown, else stdin
  other text  the text itself: it shows in the process list of this machine and
              stays in the shell's history, so prefer one of the above
Put -- before a VALUE that begins with - and has no space in it. --literal
stores a VALUE that begins with @ unchanged.`;

export const command = defineCommand({
  name: 'put',
  group: 'secrets',
  summary: 'store a secret',
  description: 'Store a secret, as version 1 or the one that -v or -a says.',
  arguments: [
    { flags: '<name>', description: 'name of the secret' },
    { flags: '[value]', description: 'the secret, or where it is read from' },
    {
      flags: '[context...]',
      description: 'encryption context as KEY=VALUE; a get must give the same',
    },
  ],
  options: {
    prompt: {
      flags: '-P, --prompt',
      description: 'ask for the value on the terminal; the context may follow NAME at once',
    },
    literal: { flags: '--literal', description: 'store VALUE unchanged, also - and @…' },
    allowEmpty: {
      flags: '--allow-empty',
      description: 'store an empty secret if stdin or FILE is empty',
    },
    label: {
      flags: '--label <label>',
      description: 'move LABEL to the version that is stored, for those who read by it',
    },
    json: { flags: '--json', description: 'print the name and the version as a JSON object' },
    ...SEAL_OPTIONS,
  },
  notes: VALUE_HELP,
  examples: [
    {
      line: 'credstash put db.password',
      description: 'Ask for the value, and store it as version 1',
    },
    {
      line: 'credstash put -a db.password - <password.txt',
      description: 'Store the bytes of stdin as the next version',
    },
    {
      line: 'credstash put tls.key @server.key env=prod',
      description: 'Store a file under an encryption context',
    },
  ],
  run: async ({ args: [name, value, pairs], options, io }) => {
    // -P asks for the value, so a VALUE with a = is the first pair of the context. The original required a VALUE there.
    const asksOnly = options.prompt === true && value !== undefined;
    const context = parseContext(asksOnly && value.includes('=') ? [value, ...pairs] : pairs);
    const { label, json } = options;
    if (label !== undefined) checkLabel(label);
    const seal = { ...toPutOptions(options, context, io), label };
    // A setting that cannot be is told before anybody is asked.
    const withBackend = chooseBackend(options, io, { create: true });
    const asks = options.prompt === true || (value === undefined && io.interactive);
    const given = asks ? undefined : await readValue(io, value, options);
    await withBackend(async (credstash) => {
      const secret = given ?? (await askValue(io, credstash, name, seal));
      const { version, before = [] } = await credstash
        .put(name, secret, seal)
        .catch((error: unknown) => {
          throw addMoveHint(error, options, label ?? '');
        });
      const moved = label === undefined ? '' : formatMove(name, label, version, before);
      await io.write(
        json
          ? formatVisibleJson(
              { name, version, ...(label === undefined ? {} : { label, before }) },
              0,
            )
          : `${escapeUnseen(name)} has been stored${await describePlace(io, credstash)}\n${moved}`,
      );
      for (const remark of nameRemarks(name)) io.note(`credstash: warning: ${remark}`);
      if (value === '' && !asks) {
        io.note(`credstash: warning: the value is empty: ${name} is an empty secret`);
      }
      const isText = value !== undefined && !asks && !options.literal && !/^(-$|@)/.test(value);
      if (isText && pairs.length === 0 && LIKE_A_PAIR.test(value) && io.interactive) {
        const retry = samePlaceCommand(
          options,
          [
            ...['put', '-a', '-P', ...sealFlags(options)],
            ...(label === undefined ? [] : ['--label', label]),
          ],
          [name],
        );
        io.note(
          `credstash: warning: the value looks like KEY=VALUE, and is stored as the secret itself, without an encryption context; if it was meant as one: ${retry} KEY=VALUE`,
        );
      }
      if (seal.version !== undefined && !seal.autoversion) {
        await warnOfOvertaken(io, credstash, [name], version);
      }
    });
  },
});

/** Where it is stored, for a person. Scripts compare what is printed elsewhere. */
async function describePlace(io: Io, credstash: Credstash): Promise<string> {
  return io.isTerminal('stdout') ? ` in ${await credstash.location()}` : '';
}

/** A pair of an encryption context, in all likelihood: base64, which may end in `=`, is none. */
const LIKE_A_PAIR = /^[\p{L}_][\p{L}\p{N}_.:-]*=(?!=*$)/u;

/** Asks for the value, unless the version exists already: nobody should type a secret for nothing. */
async function askValue(
  io: Io,
  credstash: Credstash,
  name: string,
  { version, autoversion }: ReturnType<typeof toPutOptions>,
): Promise<Uint8Array> {
  if (!autoversion && io.canAsk) {
    try {
      await credstash.expectNoVersion(name, { version });
    } catch (error) {
      // A writer need not be allowed to read. Then the put tells.
      if (!hasCode(error, 'ACCESS_DENIED')) throw error;
    }
  }
  return io.askHidden(
    `${name}: `,
    new CredstashError('USAGE', 'there is no terminal to ask on', {
      hint: 'give the value on stdin, or as @FILE',
    }),
  );
}

async function readValue(
  io: Io,
  value: string | undefined,
  { literal, allowEmpty }: { readonly literal?: true; readonly allowEmpty?: true },
): Promise<Uint8Array> {
  if (literal && value !== undefined) return Buffer.from(value, 'utf8');
  // A command that failed, or a job without stdin, gives nothing: that is not a secret that somebody meant.
  const whenEmpty = allowEmpty
    ? 'allowed'
    : { hint: 'to store an empty secret on purpose, add --allow-empty' };
  const fileHint = 'put --literal stores a value that begins with @ unchanged';
  return readArgument(io, value ?? '-', MAX_ITEM_BYTES, whenEmpty, fileHint);
}
