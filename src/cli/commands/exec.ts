import type { Credstash } from '../../credstash.ts';
import { CredstashError } from '../../errors.ts';
import type { Got, Start } from '../exec/start.ts';
import type { PrivateFolder } from '../files/private-folder.ts';
import { defineCommand } from '../command.ts';
import { chooseBackend } from '../options/backend.ts';
import { findProgram, toProgram } from '../exec/find-program.ts';
import { runProgram } from '../exec/run.ts';
import { suggestNaming } from '../advice/scan-denied.ts';
import { buildVariables, VARIABLE_OPTIONS } from '../options/variables.ts';

const EXEC_HELP = `The variable is the secret's name in upper case, without the part of GLOB before
its first *: 'prod.api.*' gives prod.api.db-password as DB_PASSWORD. Neither a
GLOB nor --fields sets a variable that decides which code runs, such as PATH.
Without GLOB, --env, --file and --fields, exec resolves each variable that
begins with credstash:// (credstash help references). In a CI job, where others
can write variables, use --resolve=NAME.

COMMAND is run with all of the secrets or not at all, and without a shell. The
exit status is COMMAND's own. Files are removed when it ends.`;

export const command = defineCommand({
  name: 'exec',
  group: 'run',
  summary: 'run a command with secrets in its environment',
  description: 'Run COMMAND with secrets, or with the references of its environment resolved.',
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
    file: {
      flags: '--file <name=reference>',
      description: 'one secret in a file, its path as NAME; repeatable',
      repeatable: true,
    },
    fields: {
      flags: '--fields <name>',
      description: 'each key of a JSON object as a variable; repeatable',
      repeatable: true,
    },
    jsonValues: {
      flags: '--json-values',
      description: 'with --fields: objects, arrays and null as JSON',
    },
    resolve: {
      flags: '--resolve [name]',
      description:
        'resolve the references of the environment too, or only that of NAME; can be repeated',
      repeatable: true,
    },
    label: {
      flags: '--label <label>',
      description: 'the version of each GLOB and --fields with this label',
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
    watch: {
      flags: '--watch [interval]',
      description:
        'look every 60 s, or every INTERVAL (30s, 5m), and restart COMMAND when a secret has changed',
    },
    grace: {
      flags: '--grace <duration>',
      description: 'with --watch: from SIGTERM to SIGKILL (default: 10s)',
    },
  },
  notes: EXEC_HELP,
  examples: [
    {
      line: 'credstash exec db -- sh -c \'echo "$DB"\'',
      description: 'Run a shell with the secret db as DB',
    },
    {
      line: 'credstash exec --fields app.config -- ./server',
      description: 'Run a server with each key of a JSON object as a variable',
    },
    {
      line: 'credstash exec --env PGUSER=db.user --file PGPASSFILE=db.pgpass -- psql',
      description: 'Name the variable of a secret, and of a secret in a file',
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
    const times =
      options.watch === undefined && options.grace === undefined
        ? undefined
        : (await import('../exec/watch.ts')).parseWatchTimes(options);
    const withBackend = chooseBackend(options, io, { follows: times !== undefined });
    // In the PATH that this process has: no secret decides which program is run.
    const find = (): string => findProgram(name, process.env['PATH'], args);
    const file = find();
    const { globs, named, inherited, spread } = request;
    const asksForAny = globs.length + named.length + inherited.length + spread.length > 0;
    let folder: PrivateFolder | undefined;
    if (options.file) {
      const { PrivateFolder } = await import('../files/private-folder.ts');
      folder = await PrivateFolder.create((message) => {
        io.note(`credstash: warning: ${message}`);
      });
    }
    const { prepareStart } = await import('../exec/start.ts');
    const asked = { globs: request.globs, label: options.label };
    const build = (got: Got): Start => {
      const { secrets, resolved } = got;
      try {
        return prepareStart(folder, got, (pathOf) =>
          buildVariables(grammar, options, asked, (names) =>
            buildEnvironment(base, secrets, {
              ...{ ...names, resolved, pathOf, override: options.override },
            }),
          ),
        );
      } finally {
        for (const { value } of [...secrets, ...resolved]) value.fill(0);
      }
    };
    const fetchFrom = (backend: Credstash): Promise<Got> =>
      fetchRequested(backend, request, { ...options, progress: io.progress('secrets got') }).catch(
        suggestNaming('--env NAME=SECRET, or references in the environment'),
      );
    try {
      if (times && asksForAny) {
        const [{ suggestEquals, watchStarts }, { runFollowing }] = await Promise.all([
          import('../exec/watch.ts'),
          import('../exec/follow.ts'),
        ]);
        await withBackend(async (backend) => {
          const stop = new AbortController();
          const starts = watchStarts(
            backend,
            {
              ...{ request, build, label: options.label, interval: times.interval },
              fetch: () => fetchFrom(backend),
              ...{ report: output.report, signal: stop.signal },
            },
            io,
          );
          const followed = {
            ...{ starts, graceMs: times.graceMs, isQuiet: options.quiet ?? false },
            findProgram: () => toProgram(find(), [name, ...args]),
            report: output.report,
          };
          try {
            output.status = await runFollowing(followed, io);
          } finally {
            stop.abort();
          }
        }).catch(suggestEquals(words));
        return;
      }
      if (times) {
        io.note('credstash: warning: no secret is asked for, so there is nothing to watch');
      }
      let environment = base;
      if (asksForAny) {
        await withBackend(async (backend) => {
          ({ environment } = build(await fetchFrom(backend)));
        });
      }
      // The time is over before COMMAND is started, or it may take any.
      io.deadline?.signal.throwIfAborted();
      io.deadline?.stop();
      const program = toProgram(file, [name, ...args]);
      output.status = await runProgram(program, environment, io, { stays: folder !== undefined });
    } finally {
      folder?.remove();
    }
  },
});
