import type { Command } from '../command.ts';
import type { Options } from '../options/define.ts';
import { describeArgument, describeOption, GROUPS, usageLines } from './page.ts';

/** The reference of all commands, as docs/reference/commands.md has it. @param options those of every command */
export function formatReference(commands: readonly Command[], options: Options): string {
  const groups = Object.entries(GROUPS).map(([group, title]) => [
    `## ${title}`,
    ...commands.filter((each) => each.group === group).map(formatSection),
  ]);
  return `${[
    '# Commands',
    '<!-- Made of the tables of the commands: npm run reference -->',
    'Every command takes [the options of every command](#options-of-every-command). `credstash help COMMAND` prints the same.',
    ...groups.flat(),
    '## Options of every command',
    'You can write them before or after the name of the command. After `get`, `-n` means `--noline`.',
    formatList(Object.values(options).map(describeOption)),
  ].join('\n\n')}\n`;
}

function formatSection(command: Command): string {
  const { name, description, notes, examples } = command;
  const rows = [
    ...command.arguments.map(describeArgument),
    ...Object.values(command.options).map(describeOption),
  ];
  return [
    `### ${name}`,
    escape(description),
    fence(usageLines(command)),
    ...(rows.length === 0 ? [] : [formatList(rows)]),
    ...(notes === undefined ? [] : [fence(notes.split('\n'))]),
    fence(examples.flatMap(({ line, description }) => [`# ${description}`, line])),
  ].join('\n\n');
}

function formatList(rows: readonly (readonly [string, string])[]): string {
  return rows.map(([term, description]) => `- \`${term}\`: ${escape(description)}`).join('\n');
}

function fence(lines: readonly string[]): string {
  return ['```text', ...lines, '```'].join('\n');
}

/** What Markdown would take for its own. */
function escape(text: string): string {
  return text.replace(/[*_<>[\]]/g, '\\$&');
}
