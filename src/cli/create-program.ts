import { Argument, type Command as Parsed, Option } from 'commander';
import manifest from '../../package.json' with { type: 'json' };
import { CredstashError } from '../errors.ts';
import { Grammar } from './argparse.ts';
import type { Command, Invocation } from './command.ts';
import { COMMANDS, type Output } from './commands/index.ts';
import type { Options, OptionSpec } from './options/define.ts';
import { GLOBAL_OPTIONS, type GlobalOptions } from './options/global.ts';
import type { Io } from './terminal/io.ts';

/**
 * Makes the grammar of the command line. Only the commands that `argv` names are loaded; of the others the grammar has the
 * name and the summary.
 */
export async function createProgram(
  io: Io,
  output: Output,
  argv: readonly string[],
): Promise<Grammar> {
  const program = new Grammar('credstash')
    .version(manifest.version)
    .enablePositionalOptions()
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => {
        output.version += text;
      },
      writeErr: () => undefined,
      outputError: () => undefined,
    });
  program.onHelp = (name) => {
    output.helpOf = name;
  };
  const named = argv.filter((arg) => Object.hasOwn(COMMANDS, arg));
  const needsAll = argv.includes('__complete');
  for (const [name, load] of Object.entries(COMMANDS)) {
    const grammar = new Grammar(name).copyInheritedSettings(program);
    program.addCommand(grammar, { hidden: name.startsWith('__') });
    if (needsAll || named.includes(name)) addTable(grammar, (await load()).command, io, output);
  }
  addOptions(program, GLOBAL_OPTIONS);
  return program;
}

/** Makes the grammar of a command of its table. */
function addTable(grammar: Grammar, command: Command, io: Io, output: Output): void {
  const { summary, usage } = command;
  grammar.summary(summary);
  if (usage !== undefined) grammar.usage(usage);
  if (command.runsAnother) grammar.runsAnother();
  for (const { flags, description, choices } of command.arguments) {
    const argument = new Argument(flags, description);
    grammar.addArgument(choices ? argument.choices(choices) : argument);
  }
  addOptions(grammar, command.options);
  grammar.action(async () => {
    const { processedArgs: args } = grammar;
    // The grammar was made of the same table, so that its values have the types of this command.
    const invocation = { args, options: optionsOf(grammar), io, grammar, output };
    await command.run(invocation as unknown as Invocation<never, never>);
  });
  // After get, -n means no newline, as in the original.
  const taken = grammar.options.map(({ short }) => short);
  addOptions(grammar, GLOBAL_OPTIONS, taken);
}

/** @param taken the short forms that mean something else here */
function addOptions(
  grammar: Grammar,
  options: Options,
  taken: readonly (string | undefined)[] = [],
): void {
  for (const spec of Object.values(options)) grammar.addOption(toOption(spec, taken));
}

function toOption(spec: OptionSpec, taken: readonly (string | undefined)[]): Option {
  const { flags, description, choices, shown, parse } = spec;
  const [short = ''] = flags.split(', ');
  const isTaken = taken.includes(short);
  const option = new Option(isTaken ? flags.slice(`${short}, `.length) : flags, description);
  if (spec.required) option.makeOptionMandatory();
  if (choices) option.choices(choices);
  if (shown) option.argChoices = [...shown];
  if (parse) option.argParser(parse);
  else if (spec.repeatable) option.argParser(collect);
  else if (spec.once) option.argParser(refuseSecond(option));
  return option;
}

/** The options that were given, after the command or before it. The nearer one wins. */
export function optionsOf(grammar: Parsed): GlobalOptions {
  return { ...grammar.parent?.opts<GlobalOptions>(), ...grammar.opts<GlobalOptions>() };
}

/** For commander: the value of an option that must not be given twice. @throws CredstashError USAGE */
function refuseSecond({ long = '' }: Option): (value: string, before?: string) => string {
  return (value, before) => {
    if (before === undefined) return value;
    throw new CredstashError('USAGE', `${long} can be given only once`, {
      hint: `run the command once for each ${long}`,
    });
  };
}

/** For commander: all values of an option that can be repeated. */
function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}
