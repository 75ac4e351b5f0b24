import { CredstashError } from '../../errors.ts';
import { defineCommand } from '../command.ts';
import { chooseBackend } from '../options/backend.ts';
import { findProgram, toProgram } from '../exec/find-program.ts';
import { runProgram } from '../exec/run.ts';
import { suggestNaming } from '../advice/scan-denied.ts';
import { buildVariables, VARIABLE_OPTIONS } from '../options/variables.ts';

const EXEC_HELP = `The variable is the secret's name without the part of GLOB before its first *,
in upper case: 'prod.api.*' gives prod.api.db-password as DB_PASSWORD. A GLOB
with * sets no variable that decides which code runs, or who runs it, such as
PATH, LD_PRELOAD or USER: see --prefix and --allow-name.

Without GLOB and --env, exec resolves each variable of the environment that
begins with credstash:// (credstash help references). Use --resolve=NAME where
others can write variables, as in a CI job: it resolves NAME and no other.

COMMAND is run with all of the secrets or not at all, and without a shell. The
exit status is COMMAND's own (credstash help exit-status).`;

export const command = defineCommand({
  name: 'exec',
  group: 'run',
  summary: 'run a command with secrets in its environment',
  description:
    'Run COMMAND with the secrets whose name matches in its environment, or with the references there resolved.',
  usage: '[glob...] [KEY=VALUE...] [options] -- COMMAND [ARG...]',
  arguments: [
    {
      flags: '[glob...]',
      description:
        'names of secrets, * for any run of characters, quoted from the shell; KEY=VALUE is the encryption context',
    },
  ],
  options: {
    env: {
      flags: '--env <name=reference>',
      description: 'one secret, as the variable NAME; can be repeated',
      repeatable: true,
    },
    resolve: {
      flags: '--resolve [name]',
      description:
        'resolve the references of the environment too, or only that of NAME; can be repeated',
      repeatable: true,
    },
    label: {
      flags: '--label <label>',
      description: 'of each GLOB, the version that has this label',
    },
    fullNames: {
      flags: '--full-names',
      description: "variables called as the secrets' whole names",
    },
    ...VARIABLE_OPTIONS,
    pristine: {
      flags: '--pristine',
      description: 'keep only PATH, HOME and TERM of the environment',
    },
    keep: {
      flags: '--keep <name>',
      description: 'with --pristine: keep NAME too; can be repeated',
      repeatable: true,
    },
    override: {
      flags: '--no-override',
      description: 'what the environment has already wins over a secret',
    },
  },
  notes: EXEC_HELP,
  examples: [
    {
      line: 'credstash exec db -- sh -c \'echo "$DB"\'',
      description: 'Run a shell with the secret db as DB',
    },
    {
      line: "credstash exec 'prod.api.*' -- ./server --port 80",
      description: 'Run a server with several secrets',
    },
    {
      line: 'credstash exec --env PGPASSWORD=db.password -- psql',
      description: 'Name the variable of a secret',
    },
    {
      line: 'DB=credstash://db.password credstash exec -- ./server',
      description: 'Resolve the references of the environment',
    },
  ],
  runsAnother: true,
  run: async ({ args: [words], options, io, grammar, output }) => {
    const [name, ...args] = grammar.commandLine;
    if (name === undefined) {
      throw new CredstashError('USAGE', 'there is no command to run', {
        hint: 'put it after --: credstash exec GLOB -- COMMAND [ARG…]',
      });
    }
    if (options.keep && !options.pristine) {
      throw new CredstashError('USAGE', '--keep is for --pristine; without it everything is kept');
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
    const withBackend = chooseBackend(options, io);
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
        environment = buildVariables(grammar, options, asked, (names) =>
          buildEnvironment(base, secrets, { ...names, resolved, override: options.override }),
        );
        for (const { value } of [...secrets, ...resolved]) value.fill(0);
      });
    }
    // The time is over before COMMAND is started, or it may take any.
    io.deadline?.signal.throwIfAborted();
    io.deadline?.stop();
    output.status = await runProgram(toProgram(file, [name, ...args]), environment, io);
  },
});
