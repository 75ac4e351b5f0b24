import { parseContext } from '../../model/context.ts';
import { MAX_ITEM_BYTES } from '../../model/item.ts';
import { CredstashError, hasCode, serviceMessages } from '../../errors.ts';
import { checkGlob } from '../../model/glob.ts';
import { escapeUnseen } from '../../format/visible.ts';
import { formatList, formatListJson } from '../../format/list.ts';
import { suggestNaming } from '../advice/scan-denied.ts';
import { defineCommand } from '../command.ts';
import { readArgument } from '../files/input.ts';
import type { FoundValue } from '../../operations/find.ts';
import { openListOutput } from '../files/output.ts';
import { chooseBackend } from '../options/backend.ts';
import { nameField } from '../options/fields.ts';
import { LISTING_OPTIONS } from '../options/listing.ts';
import type { Io } from '../terminal/io.ts';

const FIND_HELP = `The value comes from stdin, or is asked for on a terminal and not shown. It is
never an argument. If stdin ends in a line break, as that of echo does, find
also lists the secrets that hold the value without it, and says so. Secrets that
hold the value and a line break more are not listed, but named on stderr.

In a secret that is JSON, find also looks at each field, and lists it as
NAME#FIELD. A value that is only a part of a text, such as a password in a URL,
is not found.

The exit status is 0 if a secret holds the value, and 3 if none does. Secrets
that do not open are errors, after the list: they may hold it too.`;

export const command = defineCommand({
  name: 'find',
  group: 'secrets',
  summary: 'find the secrets that hold a value',
  description: 'List the secrets whose newest version holds exactly a value, such as a leaked one.',
  arguments: [
    {
      flags: '[glob]',
      description: 'names to look at, * for any run of characters; quote it from the shell',
    },
    {
      flags: '[context...]',
      description: 'encryption context as KEY=VALUE, the same as the puts gave',
    },
  ],
  options: {
    allVersions: {
      flags: '--all-versions',
      description: 'look at every version, and list the versions',
    },
    allowEmpty: { flags: '--allow-empty', description: 'find empty secrets if stdin is empty' },
    skipUndecryptable: {
      flags: '--skip-undecryptable',
      description: 'leave out secrets that do not open; list on stderr',
    },
    ...LISTING_OPTIONS,
  },
  notes: FIND_HELP,
  examples: [
    { line: 'credstash find', description: 'Ask for a value, and list the secrets that hold it' },
    {
      line: "credstash find 'app.*' --all-versions <leaked.txt",
      description: 'Look for the content of a file in every version of some secrets',
    },
  ],
  isReader: true,
  run: async ({ args: [first, rest], options, io }) => {
    const { glob, context } = parseWords(first === undefined ? [] : [first, ...rest]);
    const withBackend = chooseBackend(options, io);
    const output = await openListOutput(io, options);
    const value = await readValue(io, options.allowEmpty === true);
    await withBackend(async (credstash) => {
      const {
        found: all,
        leftOut,
        searched,
        fallback,
      } = await credstash
        .find(value, {
          ...{ glob, context, allVersions: options.allVersions },
          ...{ ignoreFinalNewline: true, skipUndecryptable: true },
          progress: io.progress('entries opened'),
        })
        .catch(hideName)
        .catch(suggestNaming('credstash find NAME'))
        .finally(() => value.fill(0));
      const found = all.filter(({ finalNewline }) => finalNewline !== 'extra');
      await output.write(options.json ? formatListJson(found) : formatFound(found, options));
      noteNewlines(io, all);
      const location = await credstash.location();
      if (leftOut.length > 0 && !options.skipUndecryptable) {
        throw (await import('../../operations/find.ts')).cannotLook(leftOut, location);
      }
      for (const { name, error } of leftOut) {
        io.note(`credstash: warning: ${name} is left out: ${error.message}`);
      }
      for (const words of serviceMessages(leftOut.map(({ error }) => error))) {
        io.note(`credstash: service says: ${words}`);
      }
      if (found.length > 0) return;
      const hint = options.allVersions
        ? undefined
        : 'only the newest versions were looked at: credstash find --all-versions looks at all';
      // The GLOB is not quoted: it may be the value, which somebody took for an argument.
      const matching = glob === undefined ? '' : 'matching ';
      if (!fallback) {
        throw searched === 0 && glob !== undefined
          ? new CredstashError('SECRET_NOT_FOUND', `no secret in ${location} matches the GLOB`, {
              hint: 'list the names: credstash keys',
            })
          : new CredstashError(
              'SECRET_NOT_FOUND',
              `no ${matching}secret in ${location} holds the value`,
              { hint },
            );
      }
      throw new CredstashError(
        'UNREACHABLE',
        `no ${matching}secret in ${fallback.region} holds the value; ${fallback.unreachable.map(({ region }) => region).join(' and ')} could not be reached, so that nobody knows whether one does there`,
      );
    });
  },
});

/** Formats the names, one a line, or the versions. */
function formatFound(
  found: readonly FoundValue[],
  { allVersions }: { readonly allVersions?: boolean | undefined },
): string {
  if (allVersions) return formatList(found.map((each) => ({ ...each, name: namePlace(each) })));
  return listNames(found)
    .map((name) => `${escapeUnseen(name)}\n`)
    .join('');
}

function listNames(found: readonly FoundValue[]): string[] {
  return [...new Set(found.map(namePlace))];
}

/** Names a secret that is the value, or the field that is, as NAME#FIELD. */
function namePlace({ name, field }: FoundValue): string {
  return field === undefined ? name : nameField(name, field);
}

/** Says which secrets differ from the value in the line break at the end: a mere difference of how the value was given. */
function noteNewlines(io: Io, found: readonly FoundValue[]): void {
  const differing = (kind: FoundValue['finalNewline']): string[] =>
    listNames(found.filter(({ finalNewline }) => finalNewline === kind));
  const shorter = differing('missing');
  if (shorter.length > 0) {
    const verb = shorter.length === 1 ? 'holds' : 'hold';
    io.note(
      `credstash: note: stdin ends in a line break; ${listSome(shorter)} ${verb} the value without it`,
    );
  }
  const longer = differing('extra');
  if (longer.length === 0) return;
  const verb = longer.length === 1 ? 'holds' : 'hold';
  io.note(
    `credstash: note: not listed: ${listSome(longer)} ${verb} the value and a line break at its end`,
  );
}

/** The most names in a note. */
const NAMED = 10;

function listSome(names: readonly string[]): string {
  const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : '';
  return `${names.slice(0, NAMED).join(', ')}${more}`;
}

/** Parses one GLOB, and pairs of the encryption context. @throws CredstashError USAGE, quoting no word: it may be the value */
function parseWords(words: readonly string[]): {
  readonly glob: string | undefined;
  readonly context: ReturnType<typeof parseContext>;
} {
  const globs = words.filter((word) => !word.includes('='));
  const context = parseContext(
    words.filter((word) => word.includes('=')),
    'open',
  );
  if (globs.length > 1) {
    throw new CredstashError('USAGE', 'find takes one GLOB, and the value is no argument', {
      hint: "give the value on stdin: credstash find 'GLOB' <FILE",
    });
  }
  const [glob] = globs;
  return { glob: glob === undefined ? undefined : checkGlob(glob), context };
}

async function readValue(io: Io, allowEmpty: boolean): Promise<Uint8Array> {
  if (io.interactive) {
    return io.askHidden(
      'value to find: ',
      new CredstashError('USAGE', 'there is no terminal to ask on', {
        hint: 'give the value on stdin',
      }),
      {
        nothing: 'to find empty secrets on purpose, give the value on stdin and add --allow-empty',
        lines: 'give a value of several lines on stdin',
      },
    );
  }
  return readArgument(
    io,
    '-',
    MAX_ITEM_BYTES,
    allowEmpty ? 'allowed' : { hint: 'to find empty secrets on purpose, add --allow-empty' },
  );
}

/** Rewords the error of a missing name: the word may be the value, which somebody took for an argument. */
function hideName(error: unknown): never {
  if (!hasCode(error, 'SECRET_NOT_FOUND')) throw error;
  throw new CredstashError('SECRET_NOT_FOUND', 'no secret has the name that was given', {
    hint: 'the argument is a name or a pattern; give the value on stdin, and list the names with credstash keys',
  });
}
