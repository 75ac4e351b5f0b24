import type { ArgumentSpec, Command, Group } from '../command.ts';
import type { Options, OptionSpec } from '../options/define.ts';
import { PLAIN, type Style } from '../terminal/style.ts';
import { formatRows, type Row, wrap } from './layout.ts';

/** How wide a page is, and how its headings are marked up. */
export interface PageOptions {
  /** In columns. */
  readonly width: number;
  readonly style: Style;
}

/** The page of a document or a pipe. */
export const PLAIN_PAGE: PageOptions = { width: 80, style: PLAIN };

/** The groups of commands, in the order of the help. */
export const GROUPS: Readonly<Record<Group, string>> = {
  secrets: 'Secrets',
  many: 'Many secrets',
  run: 'Run and fill',
  versions: 'Versions and releases',
  setup: 'Setup and checks',
};

export const ABOUT = 'Secrets in DynamoDB, sealed with KMS data keys, or in a local vault.';

/** Where to read on; each names one of the topics or the commands. */
const READ_ON =
  'Read on: credstash help COMMAND, or credstash help options, references, formats, exit-status or environment.';

const GLOBAL_LINE = 'Global options, such as -r, -t, -p and --local: credstash help options';

const FIRST_STEPS = ['credstash --local put db.password', 'credstash --local get db.password'];

/** The help of the program: the commands in their groups. */
export function formatRoot(commands: readonly Command[], { width, style }: PageOptions): string {
  const shown = commands.filter(({ group }) => group !== undefined);
  const longest = Math.max(...shown.map(({ name }) => name.length));
  const groups = Object.entries(GROUPS).map(([group, title]) => [
    style.bold(`${title}:`),
    ...formatRows(
      shown
        .filter((each) => each.group === group)
        .map(({ name, summary }): Row => [name.padEnd(longest), summary]),
      // Wide enough to tell a command from the lines that go on.
      { width, gap: 3 },
    ),
  ]);
  return toPage([
    [`${style.bold('Usage:')} credstash [options] COMMAND`],
    wrap(ABOUT, width),
    ...groups,
    [style.bold('First steps, without AWS:'), ...FIRST_STEPS.map((line) => `  ${line}`)],
    wrap(READ_ON, width),
  ]);
}

/** The help of a command. */
export function formatCommand(command: Command, { width, style }: PageOptions): string {
  const { description, notes } = command;
  const [usage = '', ...others] = usageLines(command);
  const options = Object.values(command.options).map(describeOption);
  return toPage([
    [`${style.bold('Usage:')} ${usage}`, ...others.map((line) => `       ${line}`)],
    wrap(description, width),
    section(style, 'Arguments', formatRows(command.arguments.map(describeArgument), { width })),
    section(style, 'Options', formatRows(options, { width })),
    section(style, 'Examples', formatExamples(command, width)),
    notes === undefined ? [] : notes.split('\n'),
    wrap(GLOBAL_LINE, width),
  ]);
}

/** The page of the options that every command takes. */
export function formatOptions(options: Options, { width, style }: PageOptions): string {
  return toPage([
    wrap('Every command takes these options, before its name or after it.', width),
    section(style, 'Options', [
      ...formatRows(
        [
          ...Object.values(options).map(describeOption),
          ['-h, --help', 'print the help of the command'],
          ['-V, --version', 'print the version of credstash; only before a command'],
        ],
        { width },
      ),
    ]),
    wrap('After get, -n means --noline, and the role is only --arn.', width),
  ]);
}

/** The lines `credstash NAME …`. */
export function usageLines({ name, usage, arguments: args }: Command): string[] {
  if (usage !== undefined) return usage.split('\n').map((line) => `credstash ${name} ${line}`);
  const words = args.map(({ flags }) => flags);
  return [['credstash', name, '[options]', ...words].join(' ')];
}

/** An option as the help shows it, and what it means. */
export function describeOption({ flags, description, choices, shown }: OptionSpec): Row {
  // Such an option takes its value behind a = only.
  const term = /^--\S+ \[[^.]*\]$/.test(flags) ? flags.replace(' [', '[=') : flags;
  const values = choices ?? shown;
  return [term, values === undefined ? description : `${description}: ${values.join(', ')}`];
}

export function describeArgument({ flags, description, choices }: ArgumentSpec): Row {
  const name = flags.replace(/[<>[\].]/g, '');
  return [name, choices === undefined ? description : `${description}: ${choices.join(', ')}`];
}

/** Each line, with what it does behind it if there is room for all of them, else above it. */
function formatExamples({ examples }: Command, width: number): string[] {
  const longest = Math.max(0, ...examples.map(({ line }) => line.length));
  const fits = examples.every(({ description }) => longest + description.length + 6 <= width);
  return examples.flatMap(({ line, description }) =>
    fits
      ? [
          `  ${line.padEnd(longest)}  # ${description.replace(/^./, (first) => first.toLowerCase())}`,
        ]
      : [`  # ${description}`, `  ${line}`],
  );
}

function section(style: Style, title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [style.bold(`${title}:`), ...lines];
}

/** Parts of a page, with an empty line between them. */
function toPage(parts: readonly (readonly string[])[]): string {
  return parts
    .filter((lines) => lines.length > 0)
    .map((lines) => `${lines.join('\n')}\n`)
    .join('\n');
}
