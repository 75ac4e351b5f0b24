import { type Context, parseContext } from '../../context.ts';
import type { Credstash } from '../../credstash.ts';
import { CredstashError, hasCode } from '../../errors.ts';
import { json } from '../../format/json.ts';
import type { Grammar } from '../argv.ts';
import { chooseBackend } from '../backend.ts';
import type { Io } from '../io.ts';
import { addSecretsOptions, formatSecrets, type SecretsOptions } from '../secrets.ts';
import { optionsOf } from '../settings.ts';

interface GetOptions extends SecretsOptions {
  readonly json?: true;
  readonly noline?: true;
  readonly output?: string;
  readonly default?: string;
}

export function register(command: Grammar, io: Io): void {
  command
    .description(
      'Print a secret: its newest version, or the one that -v says. With a * in NAME, all whose name matches.',
    )
    .usage(
      '[options] <name> [context...]\n       credstash get --json [options] <name...> [context...]',
    )
    .argument('<name>', 'name of the secret; * for any run of characters, quoted from the shell')
    .argument('[context...]', 'encryption context as KEY=VALUE, the same as the put gave')
    .option('--json', 'print one JSON object: every word without a = is the name of a secret')
    .option('-n, --noline', 'no newline after the secret')
    .option('-v, --version <version>', 'version to get (default: the newest)')
    .option('--label <label>', 'the version that has this label')
    .option('-o, --output <file>', 'write exactly the bytes to FILE, readable by you alone')
    .option(
      '--default <value>',
      'print this when there is no such secret; any other failure stays one',
    );
  addSecretsOptions(command).action(
    async (name: string, words: string[], _: unknown, command: Grammar) => {
      const options = optionsOf(command) as GetOptions;
      const { output } = options;
      const isGlob = name.includes('*') && !options.json;
      const read = options.json
        ? readJson(io, command, [name, ...words], options)
        : readOne(io, command, name, parseContext(words, 'open'), options);
      // Loaded where it is asked for: help and a usage error do without.
      const write =
        output === undefined
          ? undefined
          : (await import('../output-file.ts')).openOutputFile(output);
      const withBackend = chooseBackend(command, io);
      await withBackend(async (credstash) => {
        const bytes = await read(credstash);
        if (write) {
          write(bytes);
          return;
        }
        // Of several secrets, what is printed ends as it does in the original.
        const bare = options.noline === true || isGlob;
        await io.write(bare ? bytes : Buffer.concat([bytes, Buffer.from('\n')]));
      });
    },
  );
}

/** What a get reads, once there is a backend to read from. */
type Read = (credstash: Credstash) => Promise<Uint8Array>;

/** One secret, or those that match a glob. */
function readOne(
  io: Io,
  command: Grammar,
  name: string,
  context: Context,
  options: GetOptions,
): Read {
  const { version, label, default: fallback } = options;
  if (name.includes('*')) {
    if (fallback !== undefined) {
      throw new CredstashError('USAGE', '--default is for one secret, not for a name with *');
    }
    return async (credstash) =>
      Buffer.from(await formatSecrets(credstash, io, command, { ...options, glob: name, context }));
  }
  return async (credstash) => {
    try {
      return await credstash.get(name, { context, version, label });
    } catch (error) {
      if (fallback === undefined || !hasCode(error, 'SECRET_NOT_FOUND')) throw error;
      return Buffer.from(fallback, 'utf8');
    }
  };
}

/** With --json: the secrets that the words without a = name, or the one glob among them. */
function readJson(io: Io, command: Grammar, words: readonly string[], options: GetOptions): Read {
  const { version, label } = options;
  const names = [...new Set(words.filter((word) => !word.includes('=')))];
  const context = parseContext(
    words.filter((word) => word.includes('=')),
    'open',
  );
  const [first] = names;
  if (first === undefined) {
    throw new CredstashError('USAGE', '--json was given no name of a secret', {
      hint: 'a word with a = is encryption context; get such a name without --json',
    });
  }
  if (options.default !== undefined) throw conflict('--default is for one secret');
  if (options.format !== undefined && options.format !== 'json') {
    throw conflict(`--format ${options.format} is for a name with *`);
  }
  if (names.some((name) => name.includes('*'))) {
    if (names.length === 1)
      return readOne(io, command, first, context, { ...options, format: 'json' });
    throw conflict('a name with * stands alone');
  }
  if (options.skipUndecryptable) throw conflict('--skip-undecryptable is for a name with *');
  return async (credstash) =>
    Buffer.from(
      json(await credstash.getMany(names.map((name) => ({ name, version, label, context })))),
    );
}

function conflict(why: string): CredstashError {
  return new CredstashError('USAGE', `${why}, and --json takes several names`);
}
