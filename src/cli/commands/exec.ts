import { type Context, parseContext } from '../../context.ts';
import type { Wanted } from '../../credstash.ts';
import {
  type Assignment,
  type Environment,
  environmentOf,
  inherited,
  references,
  variableOf,
} from '../../environment.ts';
import { CredstashError } from '../../errors.ts';
import { checkGlob } from '../../name.ts';
import { isReference, parseReferences, SCHEME } from '../../reference.ts';
import type { Grammar } from '../argv.ts';
import { type Backend, chooseBackend } from '../backend.ts';
import type { Io } from '../io.ts';
import { findProgram, toProgram } from '../program.ts';
import { runProgram } from '../run.ts';
import { optionsOf } from '../settings.ts';

interface ExecOptions {
  readonly env?: readonly string[];
  readonly fullNames?: true;
  readonly pristine?: true;
  readonly keep?: readonly string[];
  /** False for --no-override. */
  readonly override: boolean;
}

const EXEC_HELP = `
A variable is called as what is left of the secret's name behind the part of GLOB
before its first *, in upper case, with _ for what no variable has: 'prod.api.*'
gives prod.api.db-password as DB_PASSWORD. A GLOB without * is one secret's name.
A REFERENCE is NAME or NAME?version=V&KEY=VALUE, with or without credstash://
before it. A variable of the environment whose value begins with credstash:// is
one, and is replaced by the secret.
COMMAND is run with all of the secrets or not at all. The exit status is its own;
127 when it is not found, 126 when it cannot be executed.`;

export function registerExec(program: Grammar, io: Io, output: { status: number }): void {
  program
    .command('exec')
    .runsAnother()
    .summary('run a command with secrets in its environment')
    .description(
      'Run COMMAND with the secrets whose name matches in its environment, and the references there resolved.',
    )
    .usage('[glob...] [KEY=VALUE...] [options] -- COMMAND [ARG...]')
    .argument(
      '[glob...]',
      'names of secrets, * for any run of characters, quoted from the shell; KEY=VALUE is the encryption context',
    )
    .option('--env <name=reference>', 'one secret, as the variable NAME; can be repeated', listed)
    .option('--full-names', "variables called as the secrets' whole names")
    .option('--pristine', 'of the environment keep PATH, HOME and TERM alone')
    .option('--keep <name>', 'with --pristine: keep NAME too; can be repeated', listed)
    .option('--no-override', 'what the environment has already wins over a secret')
    .addHelpText('after', EXEC_HELP)
    .action(async (words: string[], _: unknown, command: Grammar) => {
      const options = optionsOf(command) as ExecOptions;
      const [name, ...args] = command.commandLine;
      if (name === undefined) {
        throw new CredstashError('USAGE', 'there is no command to run', {
          hint: 'it stands behind --: credstash exec GLOB -- COMMAND [ARG…]',
        });
      }
      if (options.keep && !options.pristine) {
        throw new CredstashError(
          'USAGE',
          '--keep is for --pristine; without it everything is kept',
        );
      }
      const base = inherited(process.env, options);
      const order = orderOf(words, options, base);
      const withBackend = chooseBackend(command, io);
      // In the PATH that this process has: no secret decides which program is run.
      const file = findProgram(name, process.env['PATH']);
      let environment = base;
      if (order.globs.length + order.named.length + order.inherited.length > 0) {
        await withBackend(async (backend) => {
          const { secrets, resolved } = await get(backend, order, options);
          environment = environmentOf(base, secrets, { resolved, override: options.override });
          for (const { value } of [...secrets, ...resolved]) value.fill(0);
        });
      }
      output.status = await runProgram(toProgram(file, [name, ...args]), environment, io);
    });
}

function listed(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

type Named = Wanted & { readonly variable: string };

/** What is to be got, checked before the first request. */
interface Order {
  readonly context: Context;
  readonly globs: readonly string[];
  readonly named: readonly Named[];
  /** What the references of the environment ask for. */
  readonly inherited: readonly Named[];
}

function orderOf(words: readonly string[], options: ExecOptions, base: Environment): Order {
  if (words.some(isReference)) {
    throw new CredstashError('USAGE', 'a reference on the command line has no variable', {
      hint: `name one: --env NAME=${SCHEME}…`,
    });
  }
  const context = parseContext(words.filter((word) => word.includes('=')));
  const names = words.filter((word) => !word.includes('=')).map(checkGlob);
  const named = (texts: readonly (readonly [string, string])[]): Named[] =>
    parseReferences(texts, context).map((each) => ({ ...each, variable: each.place }));
  return {
    context,
    globs: names.filter((name) => name.includes('*')),
    named: [
      ...names
        .filter((name) => !name.includes('*'))
        .map((name) => ({ name, context, variable: variableOf(name, name) })),
      ...named((options.env ?? []).map(parseEnv)),
    ],
    inherited: named(references(base)),
  };
}

/** NAME=REFERENCE, with or without the scheme. */
function parseEnv(argument: string): [variable: string, reference: string] {
  const at = argument.indexOf('=');
  if (at <= 0) {
    throw new CredstashError('USAGE', `--env ${argument} is not of the form NAME=REFERENCE`);
  }
  const text = argument.slice(at + 1);
  return [argument.slice(0, at), isReference(text) ? text : `${SCHEME}${text}`];
}

/** All of an order, or an error. */
async function get(
  { credstash, location }: Backend,
  { context, globs, named, inherited }: Order,
  options: ExecOptions,
): Promise<{ readonly secrets: Assignment[]; readonly resolved: Assignment[] }> {
  const got = await credstash.getMany([...inherited, ...named]);
  const secrets: Assignment[] = got.slice(inherited.length);
  for (const glob of globs) {
    const matching = (await credstash.getAll({ glob, context })).secrets;
    if (matching.length === 0) {
      throw new CredstashError('SECRET_NOT_FOUND', `no secret in ${location} matches ${glob}`);
    }
    for (const secret of matching) {
      secrets.push({ ...secret, variable: variableOf(secret.name, glob, options) });
    }
  }
  return { secrets, resolved: got.slice(0, inherited.length) };
}
