import type { Credstash } from '../../credstash.ts';
import { CredstashError, serviceMessages } from '../../errors.ts';
import { type Secret, wipeSecrets } from '../../model/entry.ts';
import type { GetAllOptions } from '../../operations/get-all.ts';
import { createGithubExport } from '../../format/github.ts';
import { SECRET_FORMATS } from '../../format/index.ts';
import { checkK8sName } from '../../format/k8s.ts';
import { findLiteralPrefix } from '../../model/glob.ts';
import type { FormatOptions } from '../../format/pairs.ts';
import type { Grammar } from '../argparse.ts';
import { OUTPUT_OPTIONS, type Output, outputPath } from '../files/output.ts';
import type { Io } from '../terminal/io.ts';
import { matchesNothing, noteNothing } from '../advice/matches-nothing.ts';
import { warnOfReserved } from '../advice/reserved-variables.ts';
import { suggestNaming } from '../advice/scan-denied.ts';
import { defineOptions, type OptionValues } from './define.ts';
import { buildVariables, VARIABLE_OPTIONS } from './variables.ts';

/** The option of the command that prints the secrets that match a GLOB. */
export const STRIP_OPTION = defineOptions({
  stripPrefix: {
    flags: '--strip-prefix',
    description: 'leave out of names what is before the *, as exec does',
  },
});

/** The options that choose a version, of the commands that print secrets. */
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
    description: 'keep names where the format would make variables',
  },
  ...VARIABLE_OPTIONS,
  githubEnv: {
    flags: '--github-env',
    description: 'with -f github: append to GITHUB_ENV, print the masks',
  },
  k8sName: {
    flags: '--k8s-name <name>',
    description: 'with -f k8s: name of the Secret (default: credstash)',
  },
  skipUndecryptable: {
    flags: '--skip-undecryptable',
    description: 'leave out secrets that do not open; list on stderr',
  },
});

export type SecretsOptions = OptionValues<
  typeof VERSION_OPTIONS & typeof SECRETS_OPTIONS & typeof STRIP_OPTION
>;

/** The options for the fields of a secret. */
interface FieldsOptions {
  /** Whether the only secret is printed as its fields: any secret, or one that is a JSON object. */
  readonly fieldsOf?: 'any' | 'object' | undefined;
  /** Whether fields that are objects, arrays or null are printed too, as JSON. */
  readonly jsonValues?: boolean;
}

/** The formats that name variables, and those whose variables become the environment of a program. */
const OF_VARIABLES = ['dotenv', 'shell', 'fish', 'docker', 'github', 'tfvars'];
const OF_ENVIRONMENTS = ['dotenv', 'shell', 'fish', 'docker', 'github'];
/** The formats whose names `--strip-prefix` shortens. json, yaml and csv keep the names, which `putall` reads. */
const OF_SHORT_NAMES = [...OF_VARIABLES, 'k8s', 'properties'];

/** The formats in which a secret that is a JSON object is its fields. The others hold a JSON text as one value. */
export const FIELD_FORMATS = Object.keys(SECRET_FORMATS).filter(
  (format) => !['json', 'yaml', 'csv'].includes(format),
);

/** The formats of the original. With them, a GLOB without matches prints `{}` or nothing. */
const ORIGINAL_FORMATS = ['json', 'yaml', 'csv', 'dotenv'];

/**
 * Checks the options of a format, before the first request.
 *
 * @throws CredstashError USAGE
 */
export async function checkFormat(options: SecretsOptions): Promise<void> {
  const { format = 'json', githubEnv, k8sName, prefix, stripPrefix, allowName } = options;
  if (prefix !== undefined && !OF_VARIABLES.includes(format)) {
    throw onlyFor('--prefix', OF_VARIABLES);
  }
  if (stripPrefix && !OF_SHORT_NAMES.includes(format)) {
    throw onlyFor('--strip-prefix', OF_SHORT_NAMES);
  }
  if (allowName !== undefined && !OF_ENVIRONMENTS.includes(format)) {
    throw onlyFor('--allow-name', OF_ENVIRONMENTS);
  }
  if (k8sName !== undefined) {
    if (format !== 'k8s') throw onlyForOne('--k8s-name', 'k8s');
    checkK8sName(k8sName, '--k8s-name');
  }
  if (!githubEnv) return;
  if (format !== 'github') throw onlyForOne('--github-env', 'github');
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

function onlyForOne(option: string, format: string): CredstashError {
  return new CredstashError('USAGE', `${option} is for -f ${format}`, {
    hint: `add -f ${format}, or leave ${option} out`,
  });
}

/** The tools for printing secrets. */
export interface Printer {
  readonly io: Io;
  readonly output: Output;
  /** The parsed command line, for hints that repeat it. */
  readonly grammar: Grammar;
}

/**
 * Prints the matching secrets, wipes them, and reports on stderr which were left out.
 *
 * @param end written to stdout after the secrets
 * @throws CredstashError SECRET_NOT_FOUND if nothing matches a GLOB, except for the original's formats; the errors of
 *   `Credstash.getAll` and `printSecrets`
 */
export async function printMatching(
  credstash: Credstash,
  printer: Printer,
  options: SecretsOptions & GetAllOptions,
  end = '',
): Promise<void> {
  const { io } = printer;
  const progress = io.progress('secrets opened');
  const { glob, format = 'json' } = options;
  const { version, exactVersion, label, context, skipUndecryptable } = options;
  const { secrets, leftOut, fallback } = await credstash
    .getAll({ glob, version, exactVersion, label, context, skipUndecryptable, progress })
    .catch(suggestNaming('credstash get NAME NAME -f FORMAT'));
  // A mistyped name must not make a cluster or job continue without its secrets.
  if (
    glob !== undefined &&
    secrets.length + leftOut.length === 0 &&
    !ORIGINAL_FORMATS.includes(format)
  ) {
    throw matchesNothing(String(glob), fallback);
  }
  try {
    const print = formatSecrets(secrets, printer, options, end);
    for (const { name, error } of leftOut) {
      io.note(`credstash: warning: ${name} is left out: ${error.message}`);
    }
    for (const words of serviceMessages(leftOut.map(({ error }) => error))) {
      io.note(`credstash: service says: ${words}`);
    }
    await print();
  } finally {
    wipeSecrets(secrets);
  }
  if (secrets.length + leftOut.length === 0) {
    noteNothing(io, await credstash.location(), glob === undefined ? undefined : String(glob));
  }
}

/**
 * Prints secrets, or the fields of one, in the chosen format, and wipes them.
 *
 * @param end written to stdout after the secrets
 * @throws CredstashError USAGE if the format cannot represent them; the errors of `Output.write`
 */
export async function printSecrets(
  secrets: readonly Secret[],
  printer: Printer,
  options: SecretsOptions & FieldsOptions = {},
  end = '',
): Promise<void> {
  const { fieldsOf, jsonValues } = options;
  const [secret] = secrets;
  let printed = secrets;
  try {
    if (fieldsOf && secret) {
      const { hasFields, listFields } = await import('./fields.ts');
      if (fieldsOf === 'any' || hasFields(secret.value)) {
        printed = listFields(secret, jsonValues).map(({ key, value }) => ({ name: key, value }));
      }
    }
    await formatSecrets(
      printed,
      printer,
      { ...options, refuseReserved: printed !== secrets },
      end,
    )();
  } finally {
    wipeSecrets([...secrets, ...printed]);
  }
}

/** Formats secrets. @param options.glob the GLOB that they match, for `--strip-prefix` @returns a function that prints them */
function formatSecrets(
  secrets: readonly Secret[],
  { io, output, grammar }: Printer,
  options: SecretsOptions & Pick<GetAllOptions, 'glob'> & Pick<FormatOptions, 'refuseReserved'>,
  end: string,
): () => Promise<void> {
  const format = options.githubEnv ? createGithubExport : SECRET_FORMATS[options.format ?? 'json'];
  // Only csv needs this, because the other formats always escape or refuse names that a terminal obeys.
  const onTerminal = options.format === 'csv' && output.isTerminal;
  const strippedGlob = options.stripPrefix ? String(options.glob) : undefined;
  const strippedPrefix = strippedGlob === undefined ? '' : findLiteralPrefix(strippedGlob);
  const formatted = buildVariables(grammar, options, { strippedGlob }, (names) =>
    format?.(secrets, {
      ...{ ...options, ...names, onTerminal },
      strippedPrefix: names.fullNames ? '' : strippedPrefix,
    }),
  );
  warnOfReserved(secrets, { ...options, strippedPrefix }, io);
  return async () => {
    if (formatted && 'masks' in formatted) {
      // Mask the values before the job gets them, so that its log never shows one.
      await output.write(formatted.masks, end);
      (await import('../files/github-env.ts')).appendToGithubEnv(formatted.environment);
    } else await output.write(formatted ?? [], end);
  };
}
