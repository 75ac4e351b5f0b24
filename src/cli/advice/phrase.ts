import { commandLine } from '../../util/shell-word.ts';

/** How the command spells the options that hints of the library name. */
export const FLAGS: Readonly<Record<string, string>> = {
  account: '--account',
  autoversion: '-a',
  context: 'KEY=VALUE arguments',
  createKey: '--create-key',
  deletionProtection: '--deletion-protection',
  dryRun: '--dry-run',
  fields: '--fields',
  format: '-f',
  ifMissing: '--if-missing',
  keep: '--keep',
  key: '-k',
  kmsRegion: '--kms-region',
  label: '--label',
  multiRegion: '--multi-region',
  name: '--name',
  output: '-o',
  pointInTimeRecovery: '--point-in-time-recovery',
  profile: '-p',
  region: '-r',
  skipUndecryptable: '--skip-undecryptable',
  table: '-t',
  // The command waits for ten minutes; with this it repeats a request as often as it says.
  throttlingTimeoutMs: 'AWS_MAX_ATTEMPTS',
  verify: '--verify',
  version: '-v',
};

/** The commands of the library's methods that have another name. */
export const COMMAND_OF: Readonly<Record<string, string>> = {
  padVersions: 'migrate --pad-versions',
};

/** Rewrites a hint of the library in terms of the command line: its options as flags, its methods as commands. */
export function phraseHint(hint: string): string {
  return hint.replace(/`([^`]*)`/g, (code, inner: string) => phraseCode(inner) ?? code);
}

function phraseCode(code: string): string | undefined {
  if (/^\w+$/.test(code)) return FLAGS[code];
  const [, option, value] = /^(\w+): (.+)$/.exec(code) ?? [];
  if (option !== undefined && value !== undefined) return phraseOptions(code)?.join(' ');
  return phraseCall(code);
}

/** Makes flags of `keep: "N", dryRun: true`; undefined if the command does not have one of the options. */
function phraseOptions(code: string): string[] | undefined {
  const words: string[] = [];
  for (const [, option = '', value = ''] of code.matchAll(/(\w+): ("(?:[^"\\]|\\.)*"|\w+)/g)) {
    const flag = FLAGS[option];
    if (flag === undefined) return undefined;
    if (value === 'false') words.push(flag.replace(/^--/, '--no-'));
    else words.push(flag, ...(value === 'true' ? [] : [unquote(value)]));
  }
  return words;
}

/** Makes a command of `setup({ createKey: true })`, also after `Credstash.local("FOLDER")` or `new Credstash({ formats: […] })`. */
function phraseCall(code: string): string | undefined {
  const form =
    /^(?:Credstash\.local\((?<folder>"(?:[^"\\]|\\.)*")?\)|new Credstash\(\{ formats: \[(?<formats>[^\]]*)\] \}\))?\.?(?:(?<method>\w+)\((?<args>.*)\))?$/;
  const { folder, formats, method, args = '' } = form.exec(code)?.groups ?? {};
  const vault = folder === undefined ? undefined : unquote(folder);
  if (method === undefined) {
    if (!code.startsWith('Credstash.local')) return undefined;
    return vault === undefined
      ? 'credstash --local'
      : `--local=${vault}, or CREDSTASH_LOCAL=${vault}`;
  }
  const [, names = '', options = ''] = /^((?:"(?:[^"\\]|\\.)*"(?:, )?)*)(.*)$/.exec(args) ?? [];
  const operands = [...names.matchAll(/"(?:[^"\\]|\\.)*"/g)].map(([text]) => unquote(text));
  const [glob, text] = /glob: ("(?:[^"\\]|\\.)*")/.exec(options) ?? [];
  if (text !== undefined) operands.push(unquote(text));
  const flags = phraseOptions(options.replace(glob ?? '', ''));
  if (flags === undefined) return undefined;
  const place = vault === undefined ? [] : [`--local=${vault}`];
  const words = (COMMAND_OF[method] ?? method).split(' ');
  const rest = operands.some((each) => each.startsWith('-'))
    ? [...flags, '--', ...operands]
    : [...operands, ...flags];
  const listed = formats === undefined ? [] : [`CREDSTASH_FORMATS=${listOf(formats)}`];
  const pairs = /\bcontext\b(?!:)/.test(options.replace(glob ?? '', '')) ? ' KEY=VALUE…' : '';
  return `${commandLine([...listed, 'credstash', ...place, ...words, ...rest])}${pairs}`;
}

/** `A,B` of `"A", "B"`. */
function listOf(formats: string): string {
  return (JSON.parse(`[${formats}]`) as string[]).join(',');
}

function unquote(text: string): string {
  return text.startsWith('"') ? (JSON.parse(text) as string) : text;
}
