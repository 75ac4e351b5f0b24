import type { Grammar } from './argparse.ts';
import type { Options, OptionValues } from './options/define.ts';
import type { GlobalOptions } from './options/global.ts';
import type { Io } from './terminal/io.ts';

/*
 * A command is one table. The grammar, the help and what a shell completes come from it, and so do the types of what `run` gets.
 */

/** An argument: `<name>`, `[name]`, `<names...>` or `[names...]`. */
export interface ArgumentSpec {
  readonly flags: string;
  readonly description: string;
  readonly choices?: readonly string[];
}

type ArgumentValue<Spec extends ArgumentSpec> = Spec['flags'] extends `${string}...${string}`
  ? readonly string[]
  : ChosenText<Spec> | (Spec['flags'] extends `<${string}` ? never : undefined);

type ChosenText<Spec> = Spec extends { readonly choices: readonly (infer Choice)[] }
  ? Choice
  : string;

/** The values of arguments, in their order. */
type ArgumentValues<Specs extends readonly ArgumentSpec[]> = {
  readonly [Index in keyof Specs]: ArgumentValue<Specs[Index]>;
};

/** What a command is run with. */
export interface Invocation<Args, Values> {
  readonly args: Args;
  /** Those of the command and those of every command, which may stand before its name. The nearer one wins. */
  readonly options: Values & GlobalOptions;
  readonly io: Io;
  /** The command line as it was parsed, for a hint that shows it. */
  readonly grammar: Grammar;
  /** Takes the exit status of a program that was run. `report` prints an error with which the command goes on. */
  readonly output: { status: number; readonly report: (error: unknown) => void };
}

/** The groups of commands in the help. */
export type Group = 'secrets' | 'many' | 'run' | 'versions' | 'setup';

export interface Example {
  readonly line: string;
  readonly description: string;
}

/** The texts and marks that every command has, whatever its options and arguments are. */
interface CommandTexts {
  readonly name: string;
  /** The group of the help; absent for a command that people do not type. */
  readonly group?: Group;
  /** What it does, for a list of commands. */
  readonly summary: string;
  /** What it does, at the top of its help. */
  readonly description: string;
  /** The words behind `credstash NAME`, if they are not the options and the arguments. */
  readonly usage?: string;
  readonly notes?: string;
  readonly examples: readonly Example[];
  /** Whether the words behind `--` are the command line of another program. */
  readonly runsAnother?: true;
  /** Whether it changes nothing. After a timeout it can be run again. */
  readonly isReader?: true;
  /** Whether it goes on with the rest if it is run again. */
  readonly isResumable?: true;
}

/** A command, as the grammar and the help see it. */
export interface Command extends CommandTexts {
  readonly arguments: readonly ArgumentSpec[];
  readonly options: Options;
  readonly run: (invocation: Invocation<never, never>) => Promise<void>;
}

/** Makes a command of its table. Its options and arguments give `run` its types. */
export function defineCommand<
  const Args extends readonly ArgumentSpec[],
  const Specs extends Options,
>(
  table: CommandTexts & {
    readonly arguments: Args;
    readonly options: Specs;
    readonly run: (
      invocation: Invocation<ArgumentValues<Args>, OptionValues<Specs>>,
    ) => Promise<void>;
  },
): Command {
  return table;
}
