import { type Command, Option } from 'commander';
import type { Credstash } from '../credstash.ts';
import type { Secret } from '../entry.ts';
import { CredstashError, serviceMessages } from '../errors.ts';
import type { GetAllOptions } from '../flows.ts';
import { githubExport, type GithubExport } from '../format/github.ts';
import { SECRET_FORMATS } from '../format/index.ts';
import { checkK8sName } from '../format/k8s.ts';
import { envName } from '../format/env-name.ts';
import { environmentName } from '../format/held.ts';
import { reservedFor } from '../model/variable-names.ts';
import type { Grammar } from './argv.ts';
import type { Io } from './io.ts';
import { optionsOf } from './settings.ts';
import {
  allowNameOption,
  buildVariables,
  prefixOption,
  type VariableOptions,
} from './variable-options.ts';

/** What the commands that print several secrets have in common. */
export interface SecretsOptions extends VariableOptions {
  readonly version?: string;
  readonly label?: string;
  readonly format?: string;
  readonly rawNames?: true;
  readonly githubEnv?: true;
  readonly k8sName?: string;
  readonly skipUndecryptable?: true;
}

export function addSecretsOptions(command: Command): Command {
  return command
    .addOption(
      new Option('-f, --format <format>', 'format of several secrets (default: json)').choices(
        Object.keys(SECRET_FORMATS),
      ),
    )
    .option('--raw-names', 'names as they are, where the format would turn them into variables')
    .addOption(prefixOption())
    .addOption(allowNameOption())
    .option('--github-env', 'with -f github: append to the file GITHUB_ENV, print only the masks')
    .option('--k8s-name <name>', 'with -f k8s: name of the Secret (default: credstash)')
    .option('--skip-undecryptable', 'leave out secrets that do not open, and list them on stderr')
    .hook('preAction', checkFormat);
}

/** The formats that name variables, and those of them whose variables end up in the environment of a program. */
const OF_VARIABLES = ['dotenv', 'shell', 'docker', 'github', 'tfvars'];
const OF_ENVIRONMENTS = ['dotenv', 'shell', 'docker', 'github'];

/** Those of the original, which takes them for one secret too, and prints that as it is. */
const IGNORED_FOR_ONE = ['json', 'yaml', 'csv', 'dotenv'];

/**
 * Checks the options of a format, before anything is asked of a backend.
 *
 * @throws CredstashError USAGE
 */
async function checkFormat(command: Command): Promise<void> {
  const options = optionsOf(command) as SecretsOptions & { readonly output?: string };
  const { format = 'json', githubEnv, k8sName, output, prefix, allowName } = options;
  const { json: asJson } = options as { json?: true };
  const isOne = command.name() === 'get' && !asJson && command.args[0]?.includes('*') === false;
  if (isOne && !IGNORED_FOR_ONE.includes(format)) {
    // The bare value in its place would be a command to a shell that evaluates it, or stand in a job's log.
    throw new CredstashError('USAGE', `-f ${format} is for several secrets`, {
      hint: 'a name with a *, or getall',
    });
  }
  if (prefix !== undefined && (isOne || !OF_VARIABLES.includes(format))) {
    throw onlyFor('--prefix', OF_VARIABLES);
  }
  if (allowName !== undefined && (isOne || !OF_ENVIRONMENTS.includes(format))) {
    throw onlyFor('--allow-name', OF_ENVIRONMENTS);
  }
  if (k8sName !== undefined) {
    if (format !== 'k8s') throw new CredstashError('USAGE', '--k8s-name is for -f k8s');
    checkK8sName(k8sName);
  }
  if (!githubEnv) return;
  if (format !== 'github') throw new CredstashError('USAGE', '--github-env is for -f github');
  if (output !== undefined) {
    throw new CredstashError(
      'USAGE',
      '--github-env writes to a file of its own, and -o to another',
    );
  }
  (await import('./github-env.ts')).checkGithubEnv();
}

function onlyFor(option: string, formats: readonly string[]): CredstashError {
  return new CredstashError('USAGE', `${option} is for several secrets as variables`, {
    hint: `it goes with -f ${formats.join(', -f ')}`,
  });
}

/** Several secrets in the format that was asked for, with those that were left out told on stderr. */
export async function formatSecrets(
  credstash: Credstash,
  io: Io,
  command: Grammar,
  options: SecretsOptions & GetAllOptions,
): Promise<string> {
  const progress = io.progress('secrets opened');
  const { secrets, leftOut } = await credstash.getAll({ ...options, progress });
  const { glob, format: name = 'json' } = options;
  // Whoever obeys what is printed, a cluster or a job, must not go on with nothing for a name that is mistyped.
  if (
    glob !== undefined &&
    secrets.length + leftOut.length === 0 &&
    !IGNORED_FOR_ONE.includes(name)
  ) {
    throw new CredstashError('SECRET_NOT_FOUND', `no secret matches ${glob}`);
  }
  const format = options.githubEnv ? githubExport : SECRET_FORMATS[name];
  const made = buildVariables(command, options, {}, (names) =>
    format?.(secrets, { ...options, ...names }),
  );
  const text = typeof made === 'object' ? await exportToJob(made, io) : (made ?? '');
  warnOfReserved(secrets, options, io);
  for (const { name, error } of leftOut) {
    io.note(`credstash: warning: ${name} is left out: ${error.message}`);
  }
  for (const words of serviceMessages(leftOut.map(({ error }) => error))) {
    io.note(`credstash: service says: ${words}`);
  }
  return text;
}

/** Prints the masks first, so that no value is in the job that its log would show. */
async function exportToJob({ masks, environment }: GithubExport, io: Io): Promise<string> {
  await io.write(masks);
  (await import('./github-env.ts')).appendToGithubEnv(environment);
  return '';
}

/** How many variables a warning names. */
const NAMED = 10;

/**
 * Says which reserved variables are among those that were printed, in a format that nothing need obey: dotenv keeps every
 * name, as the original does, and the keys of a Secret of Kubernetes are variables only in a pod with `envFrom`.
 */
function warnOfReserved(secrets: readonly Secret[], options: SecretsOptions, io: Io): void {
  const { format, allowName = [] } = options;
  if (format !== 'dotenv' && format !== 'k8s') return;
  const nameOf = format === 'k8s' ? (name: string) => name : environmentName(options);
  const found = secrets
    .map(({ name }) => nameOf(name))
    .filter((variable) => {
      // A key such as `user` is the name of a file.
      const isVariable = format === 'dotenv' || variable === envName(variable);
      return isVariable && !allowName.includes(variable) && reservedFor(variable) !== undefined;
    });
  if (found.length === 0) return;
  const more = found.length > NAMED ? ` and ${found.length - NAMED} more` : '';
  const taker =
    format === 'k8s' ? 'a pod with envFrom' : 'a program whose environment this becomes';
  io.note(
    `credstash: warning: ${taker} lets these variables decide what runs, or who runs it: ${found.slice(0, NAMED).join(', ')}${more}`,
  );
}
