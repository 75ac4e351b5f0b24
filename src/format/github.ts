import type { Secret } from '../model/entry.ts';
import { refuseReserved } from '../model/variable-names.ts';
import {
  createVariableNamer,
  type FormatOptions,
  toText,
  toTextVariables,
  UNSEEN_NAME,
} from './pairs.ts';
import { joinPieces, toPieces } from './pieces.ts';
import { escapeUnseen } from './visible.ts';

/** The output for a job of GitHub Actions: `masks` for its log, on stdout, and `environment` for the file GITHUB_ENV. */
export interface GithubExport {
  /** `::add-mask::` commands, after which the log shows `***` for each value. */
  readonly masks: Iterable<string>;
  /** A variable each, as `NAME<<DELIMITER`, the value, and the delimiter again. */
  readonly environment: Iterable<string>;
}

/**
 * The variables of a job:
 * https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
 *
 * @param options.rawNames names as they are, instead of those that an environment takes
 * @param options.allowName reserved variables that are exported all the same
 * @throws CredstashError USAGE, naming each secret that this format cannot hold, or whose name is another's too
 */
export function createGithubExport(
  secrets: readonly Secret[],
  options: FormatOptions = {},
): GithubExport {
  const variables = toTextVariables('github', secrets, {
    rename: createVariableNamer(options),
    refuse: (variable, value) =>
      explainRefusal(variable, value) ?? refuseReserved(variable, options.allowName),
  });
  return {
    masks: {
      *[Symbol.iterator]() {
        const masked = new Set<string>();
        for (const { value } of variables) yield formatMasks(toText(value), masked);
      },
    },
    environment: toPieces(variables, ({ name, value }) => formatHeredoc(name, toText(value))),
  };
}

/**
 * The longest text that is masked once for all values that have it, in UTF-16 units. A longer one is masked for each of them: to
 * remember it would keep it in memory, and the runner takes a mask twice.
 */
const MAX_REMEMBERED = 100;

/** Formats the masks of a value. @param masked the short texts of the values before it, to which this one's are added */
function formatMasks(value: string, masked: Set<string>): string {
  const texts = new Set(listMasked(value));
  return [...texts]
    .map((text) => {
      if (masked.has(text)) return '';
      // A copy, because a part of a text keeps all of it in memory.
      if (text.length <= MAX_REMEMBERED) masked.add(Buffer.from(text).toString());
      return `::add-mask::${escapeData(text)}\n`;
    })
    .join('');
}

/** Formats the masks, followed by the variables. */
export function formatGithub(
  secrets: readonly Secret[],
  options?: FormatOptions,
): Iterable<string> {
  const { masks, environment } = createGithubExport(secrets, options);
  return joinPieces(masks, environment);
}

function explainRefusal(variable: string, value: string): string | undefined {
  // A name ends at the first = or <<. Without --github-env the name is in the job's log, so that no part of it may be a
  // command to the runner, nor become a command when the runner unescapes it.
  if (!/^(?!.*::)[^\s=<%]+$/.test(variable)) return 'GITHUB_ENV takes no such name for a variable';
  if (escapeUnseen(variable) !== variable) return UNSEEN_NAME;
  // The runner compares without case, because it may be a Windows machine.
  if (/^(?:GITHUB_.*|RUNNER_.*|NODE_OPTIONS)$/i.test(variable)) {
    return `GitHub Actions lets no job set ${variable}`;
  }
  if (value.includes('\0')) return 'its value has a NUL, which no environment can hold';
  // On Windows it would be a part of the line break that follows.
  return value.endsWith('\r') ? 'its value ends in a CR, which GITHUB_ENV loses' : undefined;
}

/**
 * Lists the texts to mask for a value: each line, trimmed as a shell or parser may trim it, because the runner searches the
 * log line by line; and the whole value, because the runner also masks its base64 and the like.
 */
function listMasked(value: string): string[] {
  const lines = value.split(/[\r\n]+/).map((line) => line.trim());
  // The runner warns of a blank mask, and ignores it.
  return [value, ...lines].filter((text) => text.trim() !== '');
}

/** The data of a workflow command. */
function escapeData(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function formatHeredoc(variable: string, value: string): string {
  let delimiter: string;
  // 122 random bits, which the author of the value cannot predict. The global `crypto` loads no module.
  do delimiter = `credstash-${crypto.randomUUID()}`;
  while (value.includes(delimiter));
  return `${variable}<<${delimiter}\n${value}\n${delimiter}\n`;
}
