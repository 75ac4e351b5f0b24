import { type Context, parseContext } from '../../model/context.ts';
import type { Credstash } from '../../credstash.ts';
import type { Secret } from '../../model/entry.ts';
import { CredstashError, hasCode } from '../../errors.ts';
import { defineCommand } from '../command.ts';
import { chooseBackend } from '../options/backend.ts';
import { openOutput } from '../files/output.ts';
import { defineOptions, type OptionValues } from '../options/define.ts';
import {
  checkField,
  checkFieldsOptions,
  chooseFields,
  FIELDS_OPTIONS,
} from '../options/printed-fields.ts';
import {
  checkFormat,
  type Printer,
  printMatching,
  printSecrets,
  SECRETS_OPTIONS,
  STRIP_OPTION,
  VERSION_OPTIONS,
} from '../options/secrets.ts';

const GET_OPTIONS = defineOptions({
  json: { flags: '--json', description: 'the same as -f json' },
  noline: { flags: '-n, --noline', description: 'no newline after the secret' },
  ...VERSION_OPTIONS,
  field: {
    flags: '--field <field>',
    description: 'one field of a JSON secret: a key, or a JSON Pointer',
    once: true,
  },
  default: {
    flags: '--default <value>',
    description: 'print this if there is no such secret or field',
  },
  ...SECRETS_OPTIONS,
  ...STRIP_OPTION,
  ...FIELDS_OPTIONS,
});

type GetOptions = OptionValues<typeof GET_OPTIONS>;

export const command = defineCommand({
  name: 'get',
  group: 'secrets',
  summary: 'print a secret, or those whose name matches',
  description:
    'Print a secret: its newest version, or the one that -v says. With a * in NAME, all whose name matches.',
  usage: '[options] <name> [context...]\n-f FORMAT [options] <name...> [context...]',
  arguments: [
    {
      flags: '<name>',
      description: 'name of the secret; * for any run of characters, quoted from the shell',
    },
    {
      flags: '[context...]',
      description:
        'encryption context as KEY=VALUE, the same as the put gave; with -f, words without a = are names, too',
    },
  ],
  options: GET_OPTIONS,
  examples: [
    { line: 'credstash get db.password', description: 'Print the newest version' },
    {
      line: 'credstash get -n tls.key env=prod -o server.key',
      description: 'Write one to a file, under its encryption context',
    },
    {
      line: 'credstash get app.config --field db.password',
      description: 'Print one field of a JSON object',
    },
    {
      line: "credstash get 'app.*' -f dotenv --strip-prefix",
      description: 'Print all whose name begins with app. as variables, without APP_',
    },
  ],
  isReader: true,
  run: async ({ args: [name, words], options, io, grammar }) => {
    await checkFormat(options);
    const request = await parseRequest(name, words, options);
    const output = await openOutput(io, options);
    const withBackend = chooseBackend(options, io);
    await withBackend((credstash) => print(credstash, { io, output, grammar }, request, options));
  },
});

/** What a get is asked for: one secret as it is, several in a format, or those that match. */
type Request = { readonly context: Context } & (
  | { readonly kind: 'secret'; readonly name: string }
  | { readonly kind: 'several'; readonly names: readonly string[] }
  | { readonly kind: 'matching'; readonly glob: string }
);

/**
 * With a format, every word without a `=` is a name.
 *
 * @throws CredstashError USAGE
 */
async function parseRequest(
  name: string,
  words: readonly string[],
  options: GetOptions,
): Promise<Request> {
  const { json: asJson, format, default: fallback, skipUndecryptable, stripPrefix } = options;
  checkFieldsOptions(options);
  checkField(options, name);
  if (!asJson && format === undefined && !options.fields) {
    const context = await parsePairs(words, name, options);
    if (!name.includes('*')) return { kind: 'secret', name, context };
    if (fallback === undefined) return { kind: 'matching', glob: name, context };
    throw new CredstashError('USAGE', '--default is for one secret, not for a name with *');
  }
  if (asJson && format !== undefined && format !== 'json') {
    const why = `--format ${format} is for a name with * or for names, and --json is a format itself`;
    throw new CredstashError('USAGE', why);
  }
  const all = [name, ...words];
  let names = [...new Set(all.filter((word) => !isPair(word)))];
  let pairs = all.filter(isPair);
  // The original takes the first word for the name, whatever is in it.
  if (names.length === 0 && !asJson) [names, pairs] = [[name], [...words]];
  const [first] = names;
  if (first === undefined) {
    throw new CredstashError('USAGE', '--json was given no name of a secret', {
      hint: 'a word with a = is encryption context; get such a name with -f json',
    });
  }
  const context = parseContext(pairs, 'open');
  const isGlob = names.some((each) => each.includes('*'));
  if (isGlob && names.length > 1) {
    throw new CredstashError('USAGE', 'a name with * cannot be combined with other names');
  }
  if (fallback !== undefined && (isGlob || names.length > 1 || asJson)) {
    throw new CredstashError('USAGE', '--default is for one secret, without --json');
  }
  if (options.fields && (isGlob || names.length > 1)) {
    throw new CredstashError('USAGE', '--fields is for one secret', {
      hint: 'exec --fields NAME can be repeated',
    });
  }
  if (isGlob) return { kind: 'matching', glob: first, context };
  if (skipUndecryptable) {
    throw new CredstashError('USAGE', '--skip-undecryptable is for a name with *, and for getall');
  }
  if (stripPrefix) {
    throw new CredstashError('USAGE', '--strip-prefix is for a name with *', {
      hint: `it leaves out the part before the *: credstash get 'PREFIX*' -f ${format ?? 'FORMAT'} --strip-prefix`,
    });
  }
  return { kind: 'several', names, context };
}

function isPair(word: string): boolean {
  return word.includes('=');
}

/** Parses words that must all be pairs of the encryption context. @throws CredstashError USAGE */
async function parsePairs(
  words: readonly string[],
  name: string,
  { field }: GetOptions,
): Promise<Context> {
  try {
    return parseContext(words, 'open');
  } catch (error) {
    if (!(error instanceof CredstashError) || words.every(isPair)) throw error;
    const { hintAtExpansion } = await import('../advice/expansion.ts');
    throw error.reworded(
      error.message,
      hintAtExpansion([name, ...words]) ??
        (field === undefined
          ? 'several secrets need a format: credstash get -f json NAME NAME'
          : '--field is for one secret: run get once for each'),
    );
  }
}

async function print(
  credstash: Credstash,
  printer: Printer,
  request: Request,
  options: GetOptions,
): Promise<void> {
  const { context } = request;
  const line = options.noline ? '' : '\n';
  switch (request.kind) {
    case 'secret': {
      const value = await getOrDefault(credstash, request.name, context, options);
      try {
        await printer.output.write(value, line);
      } finally {
        value.fill(0);
      }
      return;
    }
    case 'several':
      await printSecrets(
        await getSeveral(credstash, request.names, context, options),
        printer,
        { ...options, fieldsOf: chooseFields(request.names, options) },
        // The other formats end in a line break of their own.
        (options.format ?? 'json') === 'json' ? line : '',
      );
      return;
    case 'matching':
      // It ends as in the original.
      await printMatching(
        credstash,
        printer,
        { ...options, glob: request.glob, context },
        options.json ? line : '',
      );
  }
}

async function getSeveral(
  credstash: Credstash,
  names: readonly string[],
  context: Context,
  options: GetOptions,
): Promise<Secret[]> {
  const { version, label } = options;
  const [name] = names;
  if (name !== undefined && names.length === 1) {
    return [{ name, value: await getOrDefault(credstash, name, context, options) }];
  }
  return credstash.getMany(names.map((name) => ({ name, version, label, context })));
}

/** A secret or its field, or the VALUE of --default if it does not exist. */
async function getOrDefault(
  credstash: Credstash,
  name: string,
  context: Context,
  { version, label, field, default: fallback }: GetOptions,
): Promise<Uint8Array> {
  try {
    return await credstash.get(name, { context, version, label, field });
  } catch (error) {
    if (fallback === undefined || !hasCode(error, 'SECRET_NOT_FOUND', 'FIELD_NOT_FOUND')) {
      throw error;
    }
    return Buffer.from(fallback, 'utf8');
  }
}
