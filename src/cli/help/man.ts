import type { Command } from '../command.ts';
import type { Options } from '../options/define.ts';
import type { Row } from './layout.ts';
import { ABOUT, describeArgument, describeOption, GROUPS, usageLines } from './page.ts';

/** A page of the manual, and the name of its file. */
export interface ManPage {
  readonly file: string;
  readonly text: string;
}

/** The pages of the manual, in man(7): one of the program, and one of each command. */
export function formatManPages(
  commands: readonly Command[],
  options: Options,
  version: string,
): ManPage[] {
  const shown = commands.filter(({ group }) => group !== undefined);
  const rows = Object.values(options).map(describeOption);
  const root = [
    header('credstash', version),
    section('NAME', `credstash \\- ${roff(ABOUT)}`),
    section('SYNOPSIS', '.B credstash\n[options] COMMAND'),
    section(
      'COMMANDS',
      Object.entries(GROUPS)
        .map(([group, title]) => {
          const own = shown.filter((each) => each.group === group);
          return `.SS ${title}\n${own.map(({ name, summary }) => item([`credstash-${name}(1)`, summary])).join('\n')}`;
        })
        .join('\n'),
    ),
    section('OPTIONS', rows.map(item).join('\n')),
  ];
  return [
    { file: 'credstash.1', text: `${root.join('\n')}\n` },
    ...shown.map((command) => ({
      file: `credstash-${command.name}.1`,
      text: formatManPage(command, version),
    })),
  ];
}

function formatManPage(command: Command, version: string): string {
  const { name, summary, description, notes, examples } = command;
  const args = command.arguments.map(describeArgument);
  const options = Object.values(command.options).map(describeOption);
  const parts = [
    header(`credstash-${name}`, version),
    section('NAME', `credstash-${name} \\- ${roff(summary)}`),
    section('SYNOPSIS', usageLines(command).map(roff).join('\n.br\n')),
    section('DESCRIPTION', roff(description)),
    ...(args.length === 0 ? [] : [section('ARGUMENTS', args.map(item).join('\n'))]),
    ...(options.length === 0 ? [] : [section('OPTIONS', options.map(item).join('\n'))]),
    ...(notes === undefined ? [] : [section('NOTES', asTyped(notes))]),
    section(
      'EXAMPLES',
      examples
        .map(({ line, description }) => `${roff(description)}:\n.PP\n${asTyped(`  ${line}`)}\n.PP`)
        .join('\n'),
    ),
    section('SEE ALSO', '.BR credstash (1)'),
  ];
  return `${parts.join('\n')}\n`;
}

function header(name: string, version: string): string {
  return `.TH ${name.toUpperCase()} 1 "" "credstash ${version}"`;
}

function section(title: string, body: string): string {
  return `.SH ${title}\n${body}`;
}

function item([term, description]: Row): string {
  return `.TP\n.B ${roff(term)}\n${roff(description)}`;
}

/** Lines as they are. */
function asTyped(text: string): string {
  return `.nf\n${text.split('\n').map(roff).join('\n')}\n.fi`;
}

/** Text without what man(7) would take for its own: a backslash, a dash, a dot or quote that begins a line. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('…', '...')
    .replace(/^[.']/gm, '\\&$&');
}
