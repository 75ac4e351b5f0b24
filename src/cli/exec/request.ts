import { type Context, parseContext } from '../../model/context.ts';
import type { Credstash } from '../../credstash.ts';
import {
  type Assignment,
  chooseReferences,
  type Environment,
  EVERY_REFERENCE,
} from './environment.ts';
import { matchesNothing } from '../advice/matches-nothing.ts';
import { CredstashError } from '../../errors.ts';
import type { ProgressOptions } from '../../util/progress.ts';
import type { SecretRequest } from '../../operations/get-many.ts';
import { checkLabel } from '../../model/label.ts';
import { matchesGlob, checkGlob } from '../../model/glob.ts';
import { formatField } from '../../model/field.ts';
import { checkName } from '../../model/name.ts';
import {
  addSharedContext,
  isReference,
  parseReference,
  parseReferences,
  SCHEME,
} from '../../model/reference.ts';

/** The options of exec that choose secrets. */
export interface ExecRequestOptions {
  /** The arguments NAME=REFERENCE. */
  readonly env?: readonly string[];
  /** The arguments NAME=REFERENCE of secrets in files. */
  readonly file?: readonly string[];
  /** Names of secrets, or references: each top-level key of their JSON is a variable. */
  readonly fields?: readonly string[];
  /** With `fields`: give objects, arrays and null as JSON. */
  readonly jsonValues?: boolean;
  /** For each GLOB and name, take the version that has this label. */
  readonly label?: string;
  /** The variables of the environment whose references are resolved, or `EVERY_REFERENCE`. */
  readonly resolve?: readonly string[];
}

type Named = SecretRequest & { readonly variable?: string; readonly isFile?: true };

/** The secrets to get, checked before the first request. */
export interface ExecRequest {
  readonly context: Context;
  readonly globs: readonly string[];
  readonly named: readonly Named[];
  /** The secrets of the references in the environment. */
  readonly inherited: readonly Named[];
  /** The secrets whose fields are taken. */
  readonly spread: readonly SecretRequest[];
}

/**
 * Parses the words before `--`, and selects the references of the environment to resolve. Others may have written the
 * environment: a CI service puts a commit's title there. So a command line that names secrets resolves no references, unless
 * it has --resolve.
 *
 * @param words names, GLOBs and pairs of the encryption context
 * @param base the environment
 * @throws CredstashError USAGE
 */
export function parseExecRequest(
  words: readonly string[],
  options: ExecRequestOptions,
  base: Environment,
): ExecRequest {
  if (words.some(isReference)) {
    throw new CredstashError('USAGE', 'a reference on the command line has no variable', {
      hint: `name one: --env NAME=${SCHEME}…`,
    });
  }
  if (options.resolve?.includes('')) {
    throw new CredstashError('USAGE', 'the value of --resolve is empty', {
      hint: '--resolve=NAME resolves one variable, --resolve without a name all of them',
    });
  }
  const context = parseContext(
    words.filter((word) => word.includes('=')),
    'open',
  );
  const label = options.label === undefined ? undefined : checkLabel(options.label);
  const names = words.filter((word) => !word.includes('=')).map(checkGlob);
  const { env = [], file = [] } = options;
  const spread = (options.fields ?? []).map((text) => parseFieldsOf(text, context, label));
  if (options.jsonValues && spread.length === 0) {
    throw new CredstashError('USAGE', '--json-values is for --fields');
  }
  const asksForNothing = names.length + env.length + file.length + spread.length === 0;
  const toNamed = (texts: readonly (readonly [string, string])[]): Named[] =>
    parseReferences(texts, context).map((each) => ({ ...each, variable: each.place }));
  return {
    context,
    globs: names.filter((name) => name.includes('*')),
    named: [
      ...names.filter((name) => !name.includes('*')).map((name) => ({ name, context, label })),
      ...toNamed(env.map((argument) => parsePair('--env', argument))),
      ...toNamed(file.map(parseFile)).map((each) => ({ ...each, isFile: true as const })),
    ],
    inherited: toNamed(
      chooseReferences(base, options.resolve ?? (asksForNothing ? [EVERY_REFERENCE] : [])),
    ),
    spread,
  };
}

/** As `parsePair`, of a variable that can also be the name of a file. */
function parseFile(argument: string): [variable: string, reference: string] {
  const pair = parsePair('--file', argument);
  if (/^[A-Za-z_][A-Za-z0-9_]{0,199}$/.test(pair[0])) return pair;
  throw new CredstashError('USAGE', 'the NAME of --file cannot be a variable and a file', {
    hint: 'write letters, digits and _, and no digit first, such as --file TLS_KEY=tls.key',
  });
}

/** Parses the value of --fields: a secret's name, or a reference if it begins with `credstash://`. @throws CredstashError USAGE */
function parseFieldsOf(text: string, context: Context, label: string | undefined): SecretRequest {
  if (isReference(text)) return addSharedContext(parseReference(text), context);
  if (!text.includes('*')) return { name: checkName(text), context, label };
  throw new CredstashError('USAGE', '--fields takes the name of one secret, without *', {
    hint: `repeat it for each secret; a * in a name is possible in a reference: --fields ${SCHEME}NAME`,
  });
}

/** NAME=REFERENCE, with or without the scheme. */
function parsePair(option: string, argument: string): [variable: string, reference: string] {
  const equals = argument.indexOf('=');
  if (equals <= 0) {
    throw new CredstashError('USAGE', `${option} ${argument} is not of the form NAME=REFERENCE`);
  }
  const text = argument.slice(equals + 1);
  return [argument.slice(0, equals), isReference(text) ? text : `${SCHEME}${text}`];
}

/**
 * Gets the secrets of a request.
 *
 * @returns the secrets of the command line, and those of the references in the environment
 * @throws CredstashError SECRET_NOT_FOUND if a GLOB matches nothing; the errors of `getMany` and `getAll`
 */
export async function fetchRequested(
  credstash: Credstash,
  request: ExecRequest,
  options: ExecRequestOptions & ProgressOptions,
): Promise<{ readonly secrets: Assignment[]; readonly resolved: Assignment[] }> {
  const { context, globs, named, inherited, spread } = request;
  const { label, progress } = options;
  const region = credstash.readRegionIndex;
  const all =
    globs.length === 0
      ? undefined
      : await credstash.getAll({ glob: globs, context, label, progress }).catch(throwWithEnvHint);
  // What a GLOB has read is not read again.
  const known = all && { secrets: all.secrets, label, context };
  const fetched = await credstash.getMany([...inherited, ...named, ...spread], { progress, known });
  const first = inherited.length + named.length;
  const secrets: Assignment[] = fetched.slice(inherited.length, first);
  if (spread.length > 0) {
    const { listFields } = await import('../options/fields.ts');
    const kept = new Set([...fetched.slice(0, first), ...(all?.secrets ?? [])].map(valueOf));
    for (const { name, value, field } of fetched.slice(first)) {
      for (const { key, value: own } of listFields({ name, value }, options.jsonValues)) {
        secrets.push({ name, key, field: formatField(key, field), value: own });
      }
    }
    for (const { value } of fetched.slice(first)) if (!kept.has(value)) value.fill(0);
  }
  if (all) {
    const { secrets: found, fallback } = all;
    for (const glob of globs) {
      const matching = found.filter(({ name }) => matchesGlob(glob, name));
      if (matching.length === 0) {
        const where = fallback ? '' : ` in ${await credstash.location()}`;
        throw matchesNothing(glob, fallback, where);
      }
      for (const secret of matching) secrets.push({ ...secret, glob });
    }
  }
  // A region had an outage in between. COMMAND must not run with secrets of two regions.
  if (credstash.readRegionIndex !== region && globs.length > 0 && fetched.length > 0) {
    for (const { value } of [...fetched, ...secrets]) value.fill(0);
    return fetchRequested(credstash, request, options);
  }
  return { secrets, resolved: fetched.slice(0, inherited.length) };
}

function valueOf({ value }: { readonly value: Uint8Array }): Uint8Array {
  return value;
}

/** Replaces the hint of `getAll`, which names --skip-undecryptable. exec does not have it, because it needs all of its secrets. */
function throwWithEnvHint(error: unknown): never {
  if (!(error instanceof CredstashError) || error.failures.length === 0) throw error;
  const hint = 'one of another encryption context is named by --env NAME=SECRET?KEY=VALUE';
  throw error.reworded(error.message, hint);
}
