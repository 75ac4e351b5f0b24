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

/** The value of each option that takes one only behind a `=`, where it has none. */
const ALONE = new Map([
  ['--local', '1'],
  // EVERY_REFERENCE of src/cli/exec/environment.ts, which is loaded later.
  ['--resolve', '*'],
]);

/**
 * commander's grammar, with what the original's had besides (Python's argparse): a long option can be abbreviated,
 * and an argument that begins with a dash, has a space in it and is no option is a value, such as the text of a PEM
 * file.
 */
export class Grammar extends Command {
  /** Of the program: takes the name of the command whose help was asked for. */
  onHelp: (name: string) => void = () => undefined;
  #runsAnother = false;
  /** What stands behind the first `--`, untouched; empty where there is none, and always but for `runsAnother`. */
  commandLine: readonly string[] = [];
  /** Of the program: the whole command line, as it was typed. */
  typed: readonly string[] = [];

  /** Declares that what stands behind `--` is the command line of another program. */
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
    const mine = argv
      .slice(0, end)
      .flatMap((arg, i) => (this.#takesValue(argv[i - 1]) ? [arg] : this.#inFull(arg)));
    const args = [...mine, ...argv.slice(end)];
    const at = mine.findIndex((arg, i) => this.#isValue(arg, mine[i - 1]));
    if (isProgram || at === -1) return super.parseOptions(args);
    const before = super.parseOptions(args.slice(0, at));
    const after = this.parseOptions(args.slice(at + 1));
    return {
      operands: [...before.operands, args[at] ?? '', ...after.operands],
      unknown: [...before.unknown, ...after.unknown],
    };
  }

  /** The option that takes the next word for its value, or where it is no option; for what completes command lines. */
  awaits(arg: string): Option | undefined {
    const named = (typed: string | undefined): Option | undefined =>
      this.options.find(({ short, long }) => typed === short || typed === long);
    const [first = '', attached] = this.#inFull(arg);
    if (attached !== undefined) return undefined;
    let option = first;
    // Of `-av` the last takes it, where the others take none.
    while (/^-[^-]./.test(option)) {
      if (!named(option.slice(0, 2))?.isBoolean()) return undefined;
      option = `-${option.slice(2)}`;
    }
    const found = named(option);
    return found?.required || found?.variadic ? found : undefined;
  }

  #isCommand(arg: string): boolean {
    return this.commands.some((command) => command.name() === arg);
  }

  #has(long: string): boolean {
    return this.options.some((option) => option.long === long);
  }

  /** The words of commander's grammar for an abbreviated option, for `-v=3`, and for `--local` alone. */
  #inFull(arg: string): string[] {
    const alone = ALONE.get(arg);
    if (alone !== undefined && this.#has(arg)) return [`${arg}=${alone}`];
    const [typed = '', ...value] = arg.split('=');
    if (
      value.length > 0 &&
      this.options.some(({ short, required }) => required && short === typed)
    ) {
      return [typed, value.join('=')];
    }
    if (!/^--./.test(typed) || this.#has(typed)) return [arg];
    const meant = (this.parent === null ? GLOBAL : OWN).filter(
      (long) => long.startsWith(typed) && this.#has(long),
    );
    return meant.length === 1 ? [[meant[0], ...value].join('=')] : [arg];
  }

  /** Whether this option takes the next word as its value. */
  #takesValue(arg = ''): boolean {
    const [option, attached] = this.#inFull(arg);
    return (
      attached === undefined &&
      this.options.some(
        ({ short, long, required }) => required && (option === short || option === long),
      )
    );
  }

  #isValue(arg: string, before: string | undefined): boolean {
    const [typed = ''] = arg.split('=');
    // The original has the global options before the command's name alone, so that here they are none.
    const isOption = this.options.some(
      ({ short, long = '' }) =>
        !GLOBAL.includes(long) && (short === arg.slice(0, 2) || long.startsWith(typed)),
    );
    return /^-.* /s.test(arg) && !isOption && !this.#takesValue(before);
  }
}

/**
 * Whether an option takes its value only behind a `=`, as `--local[=FOLDER]` does: commander would take the next word,
 * which is a command or the name of a secret.
 */
export function takesValueBehindEquals({ optional, variadic }: Option): boolean {
  return optional && !variadic;
}

/** Node.js reads arguments as UTF-8 and puts U+FFFD for what is none: another text than the one that was given. */
export function checkUtf8(argv: readonly string[]): void {
  const at = argv.findIndex((arg) => arg.includes('\ufffd'));
  if (at !== -1) {
    throw new CredstashError('USAGE', `argument ${at + 1} is not valid UTF-8`, {
      hint: argv.includes('exec')
        ? 'Node.js cannot pass it on'
        : 'give a secret of other bytes on stdin, or as @FILE',
    });
  }
}
