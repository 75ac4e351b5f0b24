import type { Credstash } from '../../credstash.ts';
import { CredstashError, serviceMessages } from '../../errors.ts';
import type { Secret } from '../../model/entry.ts';
import type { GetAllOptions } from '../../operations/get-all.ts';
import { createGithubExport } from '../../format/github.ts';
import { SECRET_FORMATS } from '../../format/index.ts';
import { checkK8sName } from '../../format/k8s.ts';
import { toVariableName } from '../../format/env-name.ts';
import { createVariableNamer } from '../../format/pairs.ts';
import { describeReserved } from '../../model/variable-names.ts';
import type { Grammar } from '../argparse.ts';
import { OUTPUT_OPTIONS, type Output, outputPath } from '../files/output.ts';
import type { Io } from '../terminal/io.ts';
import { matchesNothing } from '../advice/matches-nothing.ts';
import { suggestNaming } from '../advice/scan-denied.ts';
import { defineOptions, type OptionValues } from './define.ts';
import { buildVariables, VARIABLE_OPTIONS } from './variables.ts';

/** Which version is printed: of the commands that print secrets. */
export const VERSION_OPTIONS = defineOptions({
  version: {
    flags: '-v, --version <version>',
    description: 'version to get (default: the newest)',
  },
  label: { flags: '--label <label>', description: 'the version that has this label' },
});

/** The options of the commands that print several secrets. */
export const SECRETS_OPTIONS = defineOptions({
  ...OUTPUT_OPTIONS,
  format: {
    flags: '-f, --format <format>',
    description: 'print in this format (default: json; one secret as it is)',
    choices: Object.keys(SECRET_FORMATS),
  },
  rawNames: {
    flags: '--raw-names',
    description: 'names as they are, where the format would turn them into variables',
  },
  ...VARIABLE_OPTIONS,
  githubEnv: {
    flags: '--github-env',
    description: 'with -f github: append to the file GITHUB_ENV, print only the masks',
  },
  k8sName: {
    flags: '--k8s-name <name>',
    description: 'with -f k8s: name of the Secret (default: credstash)',
  },
  skipUndecryptable: {
    flags: '--skip-undecryptable',
    description: 'leave out secrets that do not open, and list them on stderr',
  },
});

export type SecretsOptions = OptionValues<typeof VERSION_OPTIONS & typeof SECRETS_OPTIONS>;

/** The formats that name variables, and those of them whose variables end up in the environment of a program. */
const OF_VARIABLES = ['dotenv', 'shell', 'docker', 'github', 'tfvars'];
const OF_ENVIRONMENTS = ['dotenv', 'shell', 'docker', 'github'];

/** Those of the original, which prints `{}` or nothing where nothing matches. */
const ORIGINAL_FORMATS = ['json', 'yaml', 'csv', 'dotenv'];

/**
 * Checks the options of a format, before anything is asked of a backend.
 *
 * @throws CredstashError USAGE
 */
export async function checkFormat(options: SecretsOptions): Promise<void> {
  const { format = 'json', githubEnv, k8sName, prefix, allowName } = options;
  if (prefix !== undefined && !OF_VARIABLES.includes(format)) {
    throw onlyFor('--prefix', OF_VARIABLES);
  }
  if (allowName !== undefined && !OF_ENVIRONMENTS.includes(format)) {
    throw onlyFor('--allow-name', OF_ENVIRONMENTS);
  }
  if (k8sName !== undefined) {
    if (format !== 'k8s') throw new CredstashError('USAGE', '--k8s-name is for -f k8s');
    checkK8sName(k8sName, '--k8s-name');
  }
  if (!githubEnv) return;
  if (format !== 'github') throw new CredstashError('USAGE', '--github-env is for -f github');
  if (outputPath(options) !== undefined) {
    throw new CredstashError(
      'USAGE',
      '--github-env writes to a file of its own, and -o to another',
    );
  }
  (await import('../files/github-env.ts')).checkGithubEnv();
}

function onlyFor(option: string, formats: readonly string[]): CredstashError {
  return new CredstashError('USAGE', `${option} is for secrets as variables`, {
    hint: `it goes with -f ${formats.join(', -f ')}`,
  });
}

/** What prints secrets. */
export interface Printer {
  readonly io: Io;
  readonly output: Output;
  /** For the hints, which show the line to type. */
  readonly grammar: Grammar;
}

/**
 * Prints the secrets that match, and tells on stderr which were left out.
 *
 * @param end what stdout gets after them
 * @throws CredstashError as `Credstash.getAll` and `printSecrets` do; SECRET_NOT_FOUND where nothing matches a GLOB
 */
export async function printMatching(
  credstash: Credstash,
  printer: Printer,
  options: SecretsOptions & GetAllOptions,
  end = '',
): Promise<void> {
  const { io } = printer;
  const progress = io.progress('secrets opened');
  const {
    glob,
    format = 'json',
    version,
    exactVersion,
    label,
    context,
    skipUndecryptable,
  } = options;
  const { secrets, leftOut, fallback } = await credstash
    .getAll({ glob, version, exactVersion, label, context, skipUndecryptable, progress })
    .catch(suggestNaming('credstash get NAME NAME -f FORMAT'));
  // A cluster or a job that takes the output must not go on without secrets because a name was mistyped.
  if (
    glob !== undefined &&
    secrets.length + leftOut.length === 0 &&
    !ORIGINAL_FORMATS.includes(format)
  ) {
    throw matchesNothing(String(glob), fallback);
  }
  const print = formatSecrets(secrets, printer, options, end);
  for (const { name, error } of leftOut) {
    io.note(`credstash: warning: ${name} is left out: ${error.message}`);
  }
  for (const words of serviceMessages(leftOut.map(({ error }) => error))) {
    io.note(`credstash: service says: ${words}`);
  }
  await print();
}

/**
 * Prints secrets in the format that was asked for.
 *
 * @param end what stdout gets after them
 * @throws CredstashError USAGE where the format cannot hold them; as `Output.write` does
 */
export async function printSecrets(
  secrets: readonly Secret[],
  printer: Printer,
  options: SecretsOptions,
  end = '',
): Promise<void> {
  await formatSecrets(secrets, printer, options, end)();
}

/** Puts secrets into a format. @returns what prints them */
function formatSecrets(
  secrets: readonly Secret[],
  { io, output, grammar }: Printer,
  options: SecretsOptions,
  end: string,
): () => Promise<void> {
  const format = options.githubEnv ? createGithubExport : SECRET_FORMATS[options.format ?? 'json'];
  // Only for csv: the other formats escape such names always, or refuse them.
  const onTerminal = options.format === 'csv' && output.isTerminal;
  const made = buildVariables(grammar, options, {}, (names) =>
    format?.(secrets, { ...options, ...names, onTerminal }),
  );
  warnOfReserved(secrets, options, io);
  return async () => {
    if (typeof made === 'object') {
      // First, so that no value is in the job that its log would show.
      await output.write(Buffer.from(made.masks));
      (await import('../files/github-env.ts')).appendToGithubEnv(made.environment);
    }
    await output.write(Buffer.from(typeof made === 'string' ? made : ''), end);
  };
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
  const nameOf = format === 'k8s' ? (name: string) => name : createVariableNamer(options);
  const found = secrets
    .map(({ name }) => nameOf(name))
    .filter((variable) => {
      // A key such as `user` is the name of a file.
      const isVariable = format === 'dotenv' || variable === toVariableName(variable);
      return (
        isVariable && !allowName.includes(variable) && describeReserved(variable) !== undefined
      );
    });
  if (found.length === 0) return;
  const more = found.length > NAMED ? ` and ${found.length - NAMED} more` : '';
  const taker =
    format === 'k8s' ? 'a pod with envFrom' : 'a program whose environment this becomes';
  io.note(
    `credstash: warning: ${taker} lets these variables decide what runs, or who runs it: ${found.slice(0, NAMED).join(', ')}${more}`,
  );
}
