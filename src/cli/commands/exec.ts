import { CredstashError } from '../../errors.ts';
import type { Grammar } from '../argparse.ts';
import { chooseBackend } from '../options/backend.ts';
import type { Io } from '../terminal/io.ts';
import { collect } from '../options/collect.ts';
import type { ExecRequestOptions } from '../exec/request.ts';
import { findProgram, toProgram } from '../exec/find-program.ts';
import { runProgram } from '../exec/run.ts';
import { suggestNaming } from '../advice/scan-denied.ts';
import { optionsOf } from '../options/settings.ts';
import {
  allowNameOption,
  buildVariables,
  prefixOption,
  type VariableOptions,
} from '../options/variables.ts';

interface ExecOptions extends ExecRequestOptions, VariableOptions {
  readonly pristine?: true;
  readonly keep?: readonly string[];
  /** False for --no-override. */
  readonly override: boolean;
}

const EXEC_HELP = `
A variable is called as what is left of the secret's name behind the part of
GLOB before its first *, in upper case, with _ for what no variable has:
'prod.api.*' gives prod.api.db-password as DB_PASSWORD. A GLOB without * is one
secret's name. A GLOB with * sets no variable that decides which code runs, or
who runs it, such as PATH, LD_PRELOAD or USER: see --prefix and --allow-name.
A REFERENCE is NAME, NAME?version=V&KEY=VALUE or NAME?label=L&KEY=VALUE, with
or without credstash:// before it.
A variable of the environment whose value begins with credstash:// is replaced
by the secret if neither GLOB nor --env is given, or with --resolve. Otherwise
it is passed on as it is. Use --resolve=NAME where others can write variables,
as in a CI job: it resolves NAME and no other, and fails if NAME is unset or
holds no reference. A NAME behind a space would be a GLOB.
COMMAND is run with all of the secrets or not at all, and without a shell. Ask
for one where you need it, in single quotes, so that your own shell does not
replace $DB before the secret is there:
  credstash exec db -- sh -c 'echo "$DB"'
The exit status is COMMAND's own, or 128 and the number of the signal that ended
it; 127 when it is not found, 126 when it cannot be executed.`;

export function register(command: Grammar, io: Io, output: { status: number }): void {
  command
    .runsAnother()
    .description(
      'Run COMMAND with the secrets whose name matches in its environment, or with the references there resolved.',
    )
    .usage('[glob...] [KEY=VALUE...] [options] -- COMMAND [ARG...]')
    .argument(
      '[glob...]',
      'names of secrets, * for any run of characters, quoted from the shell; KEY=VALUE is the encryption context',
    )
    .option('--env <name=reference>', 'one secret, as the variable NAME; can be repeated', collect)
    .option(
      '--resolve [name]',
      'resolve the references of the environment too, or only that of NAME; can be repeated',
      collect,
    )
    .option('--label <label>', 'of each GLOB, the version that has this label')
    .option('--full-names', "variables called as the secrets' whole names")
    .addOption(prefixOption())
    .addOption(allowNameOption())
    .option('--pristine', 'of the environment keep PATH, HOME and TERM alone')
    .option('--keep <name>', 'with --pristine: keep NAME too; can be repeated', collect)
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
      // Loaded where it is used: help and a usage error do without.
      const [{ buildEnvironment, inheritEnvironment }, { fetchRequested, parseExecRequest }] =
        await Promise.all([import('../exec/environment.ts'), import('../exec/request.ts')]);
      const base = inheritEnvironment(process.env, options);
      const dropped = options.resolve?.find(
        (name) => !(name in base) && Object.hasOwn(process.env, name),
      );
      if (dropped !== undefined) {
        const message = `--pristine leaves out ${dropped}, which --resolve names`;
        throw new CredstashError('USAGE', message, { hint: `keep it: --keep ${dropped}` });
      }
      const request = parseExecRequest(words, options, base);
      const withBackend = chooseBackend(command, io);
      // In the PATH that this process has: no secret decides which program is run.
      const file = findProgram(name, process.env['PATH'], args);
      let environment = base;
      if (request.globs.length + request.named.length + request.inherited.length > 0) {
        await withBackend(async (backend) => {
          const progress = io.progress('secrets got');
          const { secrets, resolved } = await fetchRequested(backend, request, {
            ...options,
            progress,
          }).catch(suggestNaming('--env NAME=SECRET, or references in the environment'));
          const asked = { globs: request.globs, label: options.label };
          environment = buildVariables(command, options, asked, (names) =>
            buildEnvironment(base, secrets, { ...names, resolved, override: options.override }),
          );
          for (const { value } of [...secrets, ...resolved]) value.fill(0);
        });
      }
      // The time is over before COMMAND is started, or it may take any.
      io.deadline?.signal.throwIfAborted();
      io.deadline?.stop();
      output.status = await runProgram(toProgram(file, [name, ...args]), environment, io);
    });
}
