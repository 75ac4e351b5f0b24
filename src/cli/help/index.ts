import { CredstashError } from '../../errors.ts';
import { hintAtCommand } from '../advice/synonyms.ts';
import type { Command } from '../command.ts';
import { COMMANDS } from '../commands/index.ts';
import { GLOBAL_OPTIONS } from '../options/global.ts';
import type { Io } from '../terminal/io.ts';
import { formatRows, wrap } from './layout.ts';
import { formatCommand, formatOptions, formatRoot, type PageOptions } from './page.ts';
import { TOPIC_NAMES, type Topic, TOPICS } from './topics.ts';

/** Lines that are longer are hard to read. */
const MAX_WIDTH = 100;

/**
 * The page of a command or a topic; without one, that of the program.
 *
 * @throws CredstashError USAGE if there is none of that name
 */
export async function findPage(name: string | undefined, page: PageOptions): Promise<string> {
  if (name === undefined) return formatRoot(await loadCommands(), page);
  if (name === 'options') return formatOptions(GLOBAL_OPTIONS, page);
  const topic = Object.hasOwn(TOPICS, name) ? TOPICS[name] : undefined;
  if (topic) return formatTopic(topic, page);
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (load) return formatCommand((await load()).command, page);
  throw new CredstashError('USAGE', `unknown command '${name}'`, {
    hint:
      hintAtCommand(name, [...Object.keys(COMMANDS), ...TOPIC_NAMES]) ??
      `the topics are ${TOPIC_NAMES.join(', ')}; credstash help lists the commands`,
  });
}

/** How a page looks on stdout. */
export function pageOptions(io: Io): PageOptions {
  return {
    width: Math.min(io.columns('stdout') ?? 80, MAX_WIDTH),
    style: io.style('stdout'),
  };
}

export async function loadCommands(): Promise<Command[]> {
  const modules = await Promise.all(Object.values(COMMANDS).map((load) => load()));
  return modules.map(({ command }) => command);
}

export function formatTopic({ parts }: Topic, { width, style }: PageOptions): string {
  return parts
    .map((part) =>
      typeof part === 'string'
        ? wrap(part, width)
        : [style.bold(`${part.title}:`), ...formatRows(part.rows, { width, maxTerm: 34 })],
    )
    .map((lines) => `${lines.join('\n')}\n`)
    .join('\n');
}
