import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Io } from '../../src/cli/terminal/io.ts';
import { createProgram } from '../../src/cli/create-program.ts';
import { examples } from '../format/secrets.ts';
import { describeWithPython, python } from '../support/python.ts';

/** What a command line means: the command, and every option and argument by the original's name of it. */
type Meaning = Readonly<Record<string, unknown>>;

/** The original's grammar, from its usage text, in Python's argparse. */
const ARGPARSE = `
import argparse

class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise ValueError(message)

def command(commands, name, *positionals, **options):
    parser = commands.add_parser(name)
    parser.set_defaults(command=name)
    for positional, nargs in positionals:
        parser.add_argument(positional, nargs=nargs)
    for long, (short, takes) in options.items():
        flags = ([short] if short else []) + ["--" + long.replace("_", "-")]
        if takes is True:
            parser.add_argument(*flags)
        elif takes is False:
            parser.add_argument(*flags, action="store_true")
        else:
            parser.add_argument(*flags, nargs=takes)

def grammar():
    parser = Parser()
    for flags in (["-r", "--region"], ["--kms-region"], ["-t", "--table"], ["--log-level"], ["--log-file"],
                  ["-p", "--profile"], ["-n", "--arn"]):
        parser.add_argument(*flags)
    commands = parser.add_subparsers(parser_class=Parser)
    name, context = ("credential", None), ("context", "*")
    get = dict(version=("-v", True), format=("-f", True))
    put = dict(key=("-k", True), comment=("-c", True), version=("-v", True), autoversion=("-a", False),
               digest=("-d", True))
    command(commands, "delete", name)
    command(commands, "get", name, context, noline=("-n", False), **get)
    command(commands, "getall", context, **get)
    command(commands, "keys")
    command(commands, "list")
    command(commands, "put", name, ("value", "?"), context, prompt=("-P", False), **put)
    command(commands, "putall", ("credentials", None), context, **put)
    command(commands, "setup", save_kms_region=("", True), tags=("", "*"))
    return parser

result = []
parser = grammar()
for line in data:
    try:
        meant = vars(parser.parse_args(line))
        # Without a command it prints its help. Tags given twice are the last ones there, all of them here.
        skipped = "command" not in meant or sum(word.startswith("--t") for word in line) > 1
        result.append(None if skipped else {k: v for k, v in meant.items() if v not in (None, False, [])})
    except (ValueError, SystemExit):
        result.append(None)
`;

const ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  delete: ['credential'],
  get: ['credential', 'context'],
  getall: ['context'],
  put: ['credential', 'value', 'context'],
  putall: ['credentials', 'context'],
};

const io = new Io();

/** What a command line means here; null where it is refused. */
async function here(line: readonly string[]): Promise<Meaning | null> {
  const program = await createProgram(
    io,
    { version: '', helpOf: undefined, status: 0, report: () => undefined },
    line,
  );
  let meaning: Meaning | null = null;
  for (const command of program.commands) {
    const name = command.name();
    command.action((...given: unknown[]) => {
      const options = { ...program.opts(), ...command.opts() };
      const named = Object.entries(options).map(([long, value]): [string, unknown] => [
        long.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
        long === 'tags' && value === true ? [] : value,
      ]);
      const placed = (ARGUMENTS[name] ?? []).map((each, i): [string, unknown] => [each, given[i]]);
      meaning = Object.fromEntries(
        [['command', name] as const, ...placed, ...named].filter(
          ([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0),
        ),
      );
    });
  }
  // A message on stderr is not what this is about.
  await program.parseAsync(line, { from: 'user' }).catch(() => undefined);
  return meaning;
}

const VALUES = [
  ...['value', 'a=b', 'two words', '', '-', '-5', '-.5', '-1e3', '@file', 'x=', '=x', 'get'],
  ...['-x y', '-----BEGIN KEY-----\nab/c==\n', '-e', '--no-such', '--x y', '-t x'],
];

function option(long: string, takes: string, short = ''): fc.Arbitrary<string[]> {
  const value = takes === 'a value' ? fc.constantFrom(...VALUES) : fc.constant(takes);
  const flag = fc.oneof(
    fc.constant(`--${long}`),
    fc.integer({ min: 1, max: long.length }).map((length) => `--${long.slice(0, length)}`),
    ...(short === '' ? [] : [fc.constant(short)]),
  );
  if (takes === '') return flag.map((each) => [each]);
  return fc
    .tuple(flag, value, fc.constantFrom('apart', 'equals', 'attached'))
    .map(([each, text, form]) => {
      if (form === 'equals') return [`${each}=${text}`];
      return form === 'attached' && each === short ? [`${each}${text}`] : [each, text];
    });
}

const GLOBAL = fc.oneof(
  option('region', 'a value', '-r'),
  option('kms-region', 'a value'),
  option('table', 'a value', '-t'),
  option('log-level', 'debug'),
  option('log-file', 'a value'),
  option('profile', 'a value', '-p'),
  option('arn', 'a value', '-n'),
);
const READ = [option('version', 'a value', '-v'), option('format', 'json', '-f')];
const WRITE = [
  option('key', 'a value', '-k'),
  option('comment', 'a value', '-c'),
  option('version', 'a value', '-v'),
  option('autoversion', '', '-a'),
  option('digest', 'a value', '-d'),
];
const OWN: Readonly<Record<string, readonly fc.Arbitrary<string[]>[]>> = {
  delete: [],
  get: [...READ, option('noline', '', '-n'), fc.constant(['-nv3'])],
  getall: READ,
  keys: [],
  list: [],
  put: [...WRITE, option('prompt', '', '-P'), fc.constant(['-aP'])],
  putall: WRITE,
  setup: [
    option('save-kms-region', 'a value'),
    fc.constantFrom(['--tags'], ['--tags', 'a=b'], ['--tags', 'a=b', 'c=d'], ['--ta=a=b']),
  ],
};

const LINE = fc.constantFrom(...Object.keys(OWN)).chain((command) => {
  // A tag that begins with a dash is none to commander, and no tag to AWS.
  const words = command === 'setup' ? [] : [fc.constantFrom(...VALUES).map((each) => [each])];
  const part = fc.oneof(...words, ...(OWN[command] ?? []), fc.constant([]));
  return fc
    .tuple(fc.array(GLOBAL, { maxLength: 2 }), fc.array(part, { maxLength: 6 }))
    .map(([before, after]) => [...before.flat(), command, ...after.flat()]);
});

describeWithPython('the grammar of the original', () => {
  it('every command line that argparse takes means the same here [compat 10]', async () => {
    const lines = examples(LINE, 3000);
    const meant = python(ARGPARSE, lines) as (Meaning | null)[];
    const taken = lines.flatMap((line, i) => (meant[i] ? [{ line, means: meant[i] }] : []));
    expect(taken.length).toBeGreaterThan(500);
    const ours = [];
    for (const { line } of taken) ours.push({ line, means: await here(line) });
    expect(ours).toEqual(taken);
  });
});
