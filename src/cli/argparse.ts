import { Command, type Option } from 'commander';
import { CredstashError } from '../errors.ts';

/*
 * Options of the original, before a command's name and after it. Only these can be abbreviated, so that a new option never
 * makes an old script ambiguous.
 */
const GLOBAL = '--region --kms-region --table --log-level --log-file --profile --arn'.split(' ');
const OWN =
  '--noline --version --format --key --comment --autoversion --digest --prompt --save-kms-region --tags'.split(
    ' ',
  );

/** The value of an option that is given without its optional `=VALUE`. */
const DEFAULT_VALUES = new Map([
  ['--local', '1'],
  // EVERY_REFERENCE of src/cli/exec/environment.ts, which is loaded later.
  ['--resolve', '*'],
  ['--generate', '32'],
  // The default of src/cli/exec/watch.ts.
  ['--watch', ''],
]);

/**
 * commander's grammar, with two rules of the original's (Python's argparse): a long option can be abbreviated; and an argument
 * is a value, although it begins with a dash, if it contains a space and is not an option, such as the text of a PEM file.
 */
export class Grammar extends Command {
  /** Of the program: takes the name of the command whose help was asked for. */
  onHelp: (name: string) => void = () => undefined;
  #runsAnother = false;
  /** The words after the first `--`, unchanged; empty without a `--`, and for a command that is not `runsAnother`. */
  commandLine: readonly string[] = [];
  /** The whole command line, as it was typed. Only the program has it. */
  typed: readonly string[] = [];

  /** Declares that the words after `--` are the command line of another program. */
  runsAnother(): this {
    this.#runsAnother = true;
    return this;
  }

  /** Help is printed by src/cli/help, which is loaded for it. */
  override outputHelp(): void {
    const program = this.parent instanceof Grammar ? this.parent : this;
    program.onHelp(program === this ? '' : this.name());
  }

  override createCommand(name?: string): Grammar {
    return new Grammar(name);
  }

  override parseOptions(argv: string[]): { operands: string[]; unknown: string[] } {
    if (this.parent === null) this.typed = [...argv];
    const dashes = argv.indexOf('--');
    if (this.#runsAnother && dashes !== -1) {
      this.commandLine = argv.slice(dashes + 1);
      return this.parseOptions(argv.slice(0, dashes));
    }
    const isProgram = this.parent === null;
    // The command itself parses the words after its name.
    const name = argv.findIndex((arg, i) => this.#isCommand(arg) && !this.#takesValue(argv[i - 1]));
    const ends = [dashes, name].filter((index) => index !== -1);
    const end = Math.min(argv.length, ...ends);
    // Leave the value of an option as it is.
    const expanded = argv
      .slice(0, end)
      .flatMap((arg, i) => (this.#takesValue(argv[i - 1]) ? [arg] : this.#expand(arg)));
    const args = [...expanded, ...argv.slice(end)];
    const valueIndex = expanded.findIndex((arg, i) => this.#isValue(arg, expanded[i - 1]));
    if (isProgram || valueIndex === -1) return super.parseOptions(args);
    const before = super.parseOptions(args.slice(0, valueIndex));
    const after = this.parseOptions(args.slice(valueIndex + 1));
    return {
      operands: [...before.operands, args[valueIndex] ?? '', ...after.operands],
      unknown: [...before.unknown, ...after.unknown],
    };
  }

  /** Finds the option `arg` if it takes the next word as its value; undefined otherwise. For completion. */
  awaits(arg: string): Option | undefined {
    const findOption = (typed: string | undefined): Option | undefined =>
      this.options.find(({ short, long }) => typed === short || typed === long);
    const [first = '', attached] = this.#expand(arg);
    if (attached !== undefined) return undefined;
    let option = first;
    // In `-av`, only the last option may take a value.
    while (/^-[^-]./.test(option)) {
      if (!findOption(option.slice(0, 2))?.isBoolean()) return undefined;
      option = `-${option.slice(2)}`;
    }
    const found = findOption(option);
    return found?.required || found?.variadic ? found : undefined;
  }

  #isCommand(arg: string): boolean {
    return this.commands.some((command) => command.name() === arg);
  }

  #has(long: string): boolean {
    return this.options.some((option) => option.long === long);
  }

  /** Rewrites an abbreviated option, `-v=3`, or `--local` without a value as commander expects it. */
  #expand(arg: string): string[] {
    const defaultValue = DEFAULT_VALUES.get(arg);
    if (defaultValue !== undefined && this.#has(arg)) return [`${arg}=${defaultValue}`];
    const [typed = '', ...value] = arg.split('=');
    if (
      value.length > 0 &&
      this.options.some(({ short, required }) => required && short === typed)
    ) {
      return [typed, value.join('=')];
    }
    if (!/^--./.test(typed) || this.#has(typed)) return [arg];
    const matches = (this.parent === null ? GLOBAL : OWN).filter(
      (long) => long.startsWith(typed) && this.#has(long),
    );
    return matches.length === 1 ? [[matches[0], ...value].join('=')] : [arg];
  }

  /** Whether this option takes the next word as its value. */
  #takesValue(arg = ''): boolean {
    const [option, attached] = this.#expand(arg);
    return (
      attached === undefined &&
      this.options.some(
        ({ short, long, required }) => required && (option === short || option === long),
      )
    );
  }

  /** Whether an argument that begins with a dash is a value. @param before the argument before it */
  #isValue(arg: string, before: string | undefined): boolean {
    const [typed = ''] = arg.split('=');
    // The original takes the global options only before the command's name. After it they do not count as options here.
    const isOption = this.options.some(
      ({ short, long = '' }) =>
        !GLOBAL.includes(long) && (short === arg.slice(0, 2) || long.startsWith(typed)),
    );
    return /^-.* /s.test(arg) && !isOption && !this.#takesValue(before);
  }
}

/**
 * Whether an option takes its value only after a `=`, like `--local[=FOLDER]`. commander would take the next word, which is
 * a command or the name of a secret.
 */
export function takesValueBehindEquals({ optional, variadic }: Option): boolean {
  return optional && !variadic;
}

/**
 * Checks that the arguments were valid UTF-8. Node.js replaces invalid bytes by U+FFFD, which changes the argument.
 *
 * @throws CredstashError USAGE
 */
export function checkUtf8(argv: readonly string[]): void {
  const index = argv.findIndex((arg) => arg.includes('\ufffd'));
  if (index !== -1) {
    throw new CredstashError('USAGE', `argument ${index + 1} is not valid UTF-8`, {
      hint: argv.includes('exec')
        ? 'Node.js cannot pass it on'
        : 'give a secret of other bytes on stdin, or as @FILE',
    });
  }
}
