import { Option } from 'commander';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { type Command, defineCommand } from '../../src/cli/command.ts';
import { COMMANDS } from '../../src/cli/commands/index.ts';
import { createProgram, optionsOf } from '../../src/cli/create-program.ts';
import { GLOBAL_OPTIONS } from '../../src/cli/options/global.ts';
import { Io } from '../../src/cli/terminal/io.ts';

const tables = new Map<string, Command>();
for (const [name, load] of Object.entries(COMMANDS)) tables.set(name, (await load()).command);

describe('a table', () => {
  it('gives `run` the types of its arguments and options', () => {
    defineCommand({
      name: 'sample',
      summary: '',
      description: '',
      arguments: [
        { flags: '<name>', description: '' },
        { flags: '[kind]', description: '', choices: ['one', 'two'] },
        { flags: '[rest...]', description: '' },
      ],
      options: {
        json: { flags: '--json', description: '' },
        keep: { flags: '-k, --keep <n>', description: '', required: true },
        env: { flags: '--env <name>', description: '', repeatable: true },
        tags: { flags: '--tags [pairs...]', description: '' },
        verify: { flags: '--no-verify', description: '' },
        folder: { flags: '--folder [path]', description: '' },
      },
      examples: [],
      run: ({ args, options }) => {
        expectTypeOf(args).toEqualTypeOf<
          readonly [string, 'one' | 'two' | undefined, readonly string[]]
        >();
        expectTypeOf(options.json).toEqualTypeOf<true | undefined>();
        expectTypeOf(options.keep).toEqualTypeOf<string>();
        expectTypeOf(options.env).toEqualTypeOf<readonly string[] | undefined>();
        expectTypeOf(options.tags).toEqualTypeOf<readonly string[] | true | undefined>();
        expectTypeOf(options.verify).toEqualTypeOf<boolean>();
        expectTypeOf(options.folder).toEqualTypeOf<string | undefined>();
        expectTypeOf(options.region).toEqualTypeOf<string | undefined>();
        // @ts-expect-error An option that is not in the table.
        expectTypeOf(options.other).toEqualTypeOf<string>();
        return Promise.resolve();
      },
    });
  });

  it.each([...tables])('%s has the name that it is found by', (name, { name: own }) => {
    expect(own).toBe(name);
  });

  it.each([...tables])('%s has each option under the name that is parsed', (_, { options }) => {
    for (const [name, { flags }] of Object.entries({ ...options, ...GLOBAL_OPTIONS })) {
      expect(new Option(flags).attributeName(), flags).toBe(name);
    }
  });

  it.each([...tables])('%s has no short form and no name twice', async (name, { options }) => {
    const program = await createProgram(
      new Io(),
      { version: '', helpOf: undefined, status: 0, report: () => undefined },
      [name],
    );
    const grammar = program.commands.find((each) => each.name() === name);
    const flags = (grammar?.options ?? []).flatMap(({ short, long }) => [short, long]);
    const given = flags.filter((each) => each !== undefined);
    expect(new Set(given).size).toBe(given.length);
    expect(given.length).toBeGreaterThan(Object.keys(options).length);
  });
});

it('an option before the name is overruled by one after it', async () => {
  const line = ['-r', 'eu-west-1', '-t', 'one', 'keys', '-t', 'two'];
  const program = await createProgram(
    new Io(),
    { version: '', helpOf: undefined, status: 0, report: () => undefined },
    line,
  );
  let given = {};
  for (const each of program.commands) {
    each.action(() => {
      given = optionsOf(each);
    });
  }
  await program.parseAsync(line, { from: 'user' });
  expect(given).toEqual({ region: 'eu-west-1', table: 'two' });
});

it('loads only the commands that the line names', async () => {
  const load = async (...line: string[]): Promise<string[]> => {
    const program = await createProgram(
      new Io(),
      { version: '', helpOf: undefined, status: 0, report: () => undefined },
      line,
    );
    return program.commands.filter((each) => each.summary() !== '').map((each) => each.name());
  };
  expect(await load('get', 'x')).toEqual(['get']);
  expect(await load('--version')).toEqual([]);
  expect(await load('--help')).toEqual([]);
  expect(await load('__complete')).toHaveLength(tables.size - 1);
});
