import type { Argument, Command, Option } from 'commander';
import { TOPIC_NAMES } from '../help/topics.ts';
import { Grammar, takesValueBehindEquals } from '../argparse.ts';

/** A whole word that is possible at the cursor, and its description. */
export interface Candidate {
  readonly value: string;
  readonly description: string;
}

/** The possible completions at the cursor: words, a file after a part of the word, or a secret's name. */
export type Place =
  | { readonly kind: 'words'; readonly words: readonly Candidate[] }
  | { readonly kind: 'files'; readonly prefix: string }
  | { readonly kind: 'names'; readonly command: Command; readonly behindDashes: boolean };

/** The kind of an argument, by its name in the help. */
const NAMES = ['name', 'names', 'glob'];
const FILES = ['file', 'folder', 'template'];
/** A file after an @. */
const AT_FILES = ['value', 'secrets'];

const NO_WORDS: Place = { kind: 'words', words: [] };

/**
 * Finds what can complete the last of `words`, from the commands, options and arguments that commander knows. A new command
 * needs no change here.
 *
 * @param words of the command line, without the program's name; the last one may be incomplete
 */
export function findPlace(program: Grammar, words: readonly string[]): Place {
  const before = words.slice(0, -1);
  const current = words.at(-1) ?? '';
  let command = program;
  let operands = 0;
  let behindDashes = false;
  // The option that takes the next word as its value, for some options only if that is not an option.
  let taker: Option | undefined;
  let takesAny = false;
  for (const word of before) {
    const takes = taker !== undefined && (takesAny || !isOption(word));
    if (behindDashes) operands += 1;
    else if (takes) {
      if (!taker?.variadic) taker = undefined;
      takesAny = false;
    } else if (word === '--') {
      behindDashes = true;
      taker = undefined;
    } else if (isOption(word)) {
      taker = command.awaits(word);
      takesAny = taker?.required ?? false;
    } else if (command === program && operands === 0) {
      const found = program.commands.find((each) => each.name() === word);
      if (!(found instanceof Grammar)) return NO_WORDS;
      command = found;
    } else operands += 1;
  }
  if (behindDashes && / -- /.test(command.usage())) return { kind: 'files', prefix: '' };
  if (taker && (takesAny || !isOption(current))) return offerValues(taker, '');
  if (!behindDashes && current.startsWith('-')) return offerOptions(command, current);
  if (command === program) return offerCommands(program);
  const argument = command.registeredArguments[operands] ?? command.registeredArguments.at(-1);
  const inReach = operands < command.registeredArguments.length || argument?.variadic === true;
  // With a format, `get` takes several names; without one, the words after the name are pairs of a context.
  if (argument?.name() === 'context' && command.name() === 'get' && before.some(isFormat)) {
    return { kind: 'names', command, behindDashes };
  }
  return argument && inReach ? offerArgument(command, argument, current, behindDashes) : NO_WORDS;
}

function isFormat(word: string): boolean {
  return /^(?:--json$|--format(?:=|$)|-f)/.test(word);
}

function isOption(word: string): boolean {
  return word.startsWith('-') && word !== '-';
}

function offerCommands(program: Command): Place {
  const words = program
    .createHelp()
    .visibleCommands(program)
    .map((each) => ({ value: each.name(), description: each.summary() || each.description() }));
  return { kind: 'words', words };
}

/** Offers the commands and topics that `help` explains. */
function offerTopics(program: Command | null): Place {
  const topics = TOPIC_NAMES.map((value) => ({ value, description: '' }));
  const commands = program && offerCommands(program);
  return {
    kind: 'words',
    words: [...(commands?.kind === 'words' ? commands.words : []), ...topics],
  };
}

function offerOptions(command: Command, current: string): Place {
  const options = command.createHelp().visibleOptions(command);
  const equals = current.indexOf('=');
  if (equals !== -1) {
    const option = options.find(({ long }) => long === current.slice(0, equals));
    return option ? offerValues(option, current.slice(0, equals + 1)) : NO_WORDS;
  }
  const words = options.flatMap((option) => completionsOf(option, current));
  return { kind: 'words', words };
}

function completionsOf(option: Option, current: string): Candidate[] {
  const { short, long, description } = option;
  return [
    // Short options are offered only after a single dash, because typing them is as quick.
    ...(short !== undefined && !current.startsWith('--') ? [{ value: short, description }] : []),
    ...(long !== undefined ? [{ value: long, description }] : []),
    ...(long !== undefined && takesValueBehindEquals(option)
      ? [{ value: `${long}=`, description }]
      : []),
  ];
}

/** Offers the values of an option. @param prefix the option and its `=` if they are a part of the word */
function offerValues(option: Option, prefix: string): Place {
  // `file` of `-o, --output <file>`.
  const placeholder = /[<[]([^\]>.]*)/.exec(option.flags)?.[1] ?? '';
  if (FILES.includes(placeholder)) return { kind: 'files', prefix };
  return offerChoices(option.argChoices ?? [], prefix);
}

function offerArgument(
  command: Command,
  argument: Argument,
  current: string,
  behindDashes: boolean,
): Place {
  const name = argument.name();
  if (argument.argChoices) return offerChoices(argument.argChoices, '');
  if (name === 'topic') return offerTopics(command.parent);
  if (NAMES.includes(name)) return { kind: 'names', command, behindDashes };
  if (FILES.includes(name)) return { kind: 'files', prefix: '' };
  if (AT_FILES.includes(name) && current.startsWith('@')) return { kind: 'files', prefix: '@' };
  return NO_WORDS;
}

function offerChoices(values: readonly string[], prefix: string): Place {
  const words = values.map((value) => ({ value: `${prefix}${value}`, description: '' }));
  return { kind: 'words', words };
}
