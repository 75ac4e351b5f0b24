import { parseContext } from '../../model/context.ts';
import { MAX_ITEM_BYTES } from '../../model/item.ts';
import { CredstashError, hasCode } from '../../errors.ts';
import { escapeUnseen, formatVisibleJson } from '../../format/visible.ts';
import type { Credstash } from '../../credstash.ts';
import { checkFieldChange } from '../options/field-change.ts';
import type { Stored } from '../../operations/put.ts';
import { checkLabel } from '../../model/label.ts';
import { defineCommand } from '../command.ts';
import { chooseBackend } from '../options/backend.ts';
import { readArgument } from '../files/input.ts';
import type { Io } from '../terminal/io.ts';
import { nameRemarks } from '../advice/name-remarks.ts';
import { warnOfOvertaken } from '../advice/overtaken.ts';
import { samePlaceCommand } from '../advice/same-place.ts';
import { checkIfMissing, checkSource, generateSecret, LIKE_A_PAIR } from '../options/generate.ts';
import { SEAL_OPTIONS, sealFlags, toPutOptions } from '../options/seal.ts';
import { formatMove, addMoveHint } from './label.ts';

const VALUE_HELP = `VALUE is one of
  -           the bytes of stdin, unchanged
  @FILE       the bytes of FILE, unchanged
  left out    asked for on a terminal and not shown, else stdin
  other text  the text itself: the process list and the shell's history show it
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
      description: 'ask for the value; the context may follow NAME',
    },
    literal: { flags: '--literal', description: 'store VALUE unchanged, also - and @…' },
    allowEmpty: {
      flags: '--allow-empty',
      description: 'store an empty secret of stdin or FILE',
    },
    generate: {
      flags: '--generate [length]',
      description: 'store LENGTH random characters (default: 32)',
    },
    charset: {
      flags: '--charset <set>',
      description: 'characters of --generate, or a set (default: alnum)',
      shown: ['alnum', 'hex', 'base64url'],
    },
    ifMissing: {
      flags: '--if-missing',
      description: 'store nothing, and succeed, if the secret exists',
    },
    field: {
      flags: '--field <field>',
      description: 'set one field of a JSON secret, in its next version',
      once: true,
    },
    unset: {
      flags: '--unset <field>',
      description: 'remove a field; can be repeated',
      repeatable: true,
    },
    label: {
      flags: '--label <label>',
      description: 'move LABEL to the version that is stored',
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
      line: 'credstash put app.config --field db.password - <password.txt',
      description: 'Set one field of a JSON object to the text of stdin',
    },
    {
      line: 'credstash put tls.key @server.key env=prod',
      description: 'Store a file under an encryption context',
    },
    {
      line: 'credstash put --generate --if-missing db.password',
      description: 'Make a password once, and never print it',
    },
  ],
  run: async ({ args: [name, value, pairs], options, io }) => {
    const { label, json } = options;
    checkSource(options, value);
    const { field, unset } = options;
    if (field !== undefined || unset !== undefined) checkFieldChange(options, value);
    if (options.ifMissing) checkIfMissing(options);
    // -P and --generate give the value, so a VALUE with a = is the first pair of the context. The original required a VALUE after -P.
    const needsNone =
      options.prompt === true || options.generate !== undefined || unset !== undefined;
    const isPair = needsNone && value !== undefined && value.includes('=');
    const context = parseContext(isPair ? [value, ...pairs] : pairs);
    if (label !== undefined) checkLabel(label);
    const seal = { ...toPutOptions(options, context, io), label, ifMissing: options.ifMissing };
    // A setting that cannot be is told before anybody is asked.
    const withBackend = chooseBackend(options, io, { create: true });
    const asks = options.prompt === true || (!needsNone && value === undefined && io.interactive);
    const { secret: made, weakness } = await generateSecret(options);
    // Stdin is read also if the secret exists: the program that writes it would fail otherwise.
    const given =
      made ?? (unset ? new Uint8Array() : asks ? undefined : await readValue(io, value, options));
    await withBackend(async (credstash, changes) => {
      const existing =
        asks && options.ifMissing && io.canAsk ? await findNewest(credstash, name) : undefined;
      const put = async (): Promise<Stored> => {
        const next = field === undefined ? seal : { ...seal, autoversion: true };
        const secret = given ?? (await askValue(io, credstash, name, next));
        const set = field === undefined ? undefined : { field, value: secret };
        const putting =
          set || unset
            ? changes.putField(name, { set, unset }, seal)
            : credstash.put(name, secret, seal);
        return putting.catch((error: unknown) => {
          throw addMoveHint(error, options, label ?? '');
        });
      };
      const { version, before = [], existed = false } = existing ?? (await put());
      if (json) {
        const members = {
          ...{ name, version },
          ...(label === undefined ? {} : { label, before }),
          ...(options.ifMissing ? { stored: !existed } : {}),
        };
        await io.write(formatVisibleJson(members, 0));
      } else if (existed) {
        await io.write(`${escapeUnseen(name)} exists already: nothing has been stored\n`);
      } else {
        const moved = label === undefined ? '' : formatMove(name, label, version, before);
        const place = await describePlace(io, credstash);
        await io.write(`${escapeUnseen(name)} has been stored${place}\n${moved}`);
      }
      if (existed) return;
      if (weakness !== undefined) io.note(`credstash: warning: ${weakness}`);
      for (const remark of nameRemarks(name)) io.note(`credstash: warning: ${remark}`);
      if (value === '' && !needsNone) {
        io.note(`credstash: warning: the value is empty: ${name} is an empty secret`);
      }
      const isText =
        value !== undefined && !needsNone && !options.literal && !/^(-$|@)/.test(value);
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
    }).finally(() => made?.fill(0));
  },
});

/** Finds the newest version before somebody is asked for a value; undefined also if the writer may not look. */
async function findNewest(credstash: Credstash, name: string): Promise<Stored | undefined> {
  try {
    const newest = (await credstash.history(name))[0];
    return newest && { ...newest, existed: true };
  } catch (error) {
    if (hasCode(error, 'SECRET_NOT_FOUND', 'ACCESS_DENIED')) return undefined;
    throw error;
  }
}

/** Where it is stored, for a person. Scripts compare what is printed elsewhere. */
async function describePlace(io: Io, credstash: Credstash): Promise<string> {
  return io.isTerminal('stdout') ? ` in ${await credstash.location()}` : '';
}

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
    {
      nothing: 'to store an empty secret on purpose, give the value ""',
      lines: 'give a value of several lines on stdin, or as @FILE',
    },
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
