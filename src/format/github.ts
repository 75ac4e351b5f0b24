import type { Secret } from '../model/entry.ts';
import { refuseReserved } from '../model/variable-names.ts';
import {
  createVariableNamer,
  type FormatOptions,
  toTextPairs,
  UNSEEN_NAME,
  toVariables,
} from './pairs.ts';
import { escapeUnseen } from './visible.ts';

/** The output for a job of GitHub Actions: `masks` for its log, on stdout, and `environment` for the file GITHUB_ENV. */
export interface GithubExport {
  /** `::add-mask::` commands, after which the log shows `***` for each value. */
  readonly masks: string;
  /** A variable each, as `NAME<<DELIMITER`, the value, and the delimiter again. */
  readonly environment: string;
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
  const pairs = toVariables('github', toTextPairs('github', secrets), {
    rename: createVariableNamer(options),
    refuse: (variable, value) =>
      explainRefusal(variable, value) ?? refuseReserved(variable, options.allowName),
  });
  const masked = new Set(pairs.flatMap(([, value]) => listMasked(value)));
  return {
    masks: [...masked].map((text) => `::add-mask::${escapeData(text)}\n`).join(''),
    environment: pairs.map(([variable, value]) => formatHeredoc(variable, value)).join(''),
  };
}

/** Formats the masks, followed by the variables. */
export function formatGithub(secrets: readonly Secret[], options?: FormatOptions): string {
  const { masks, environment } = createGithubExport(secrets, options);
  return masks + environment;
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
