import { execFileSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { canMount, startMounts } from '../support/mounts.ts';
import { pty } from '../support/pty.ts';
import { run } from '../support/run.ts';
import { asText, failed, ok, type Place, type Running, vault } from './backends.ts';
import { shell } from './shell.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { v } from '../support/version.ts';

/*
 * Files that a command is told to write to, and the terminal.
 */

const folder = temporaryFolder();
const file = (name: string): string => join(folder, name);
let running: Running;
let place: Place;
let cs: Place['cs'];
const binary = Buffer.from([0xff, 0x00, 0xfe, 0x1b, 0x5b, 0x32, 0x4a]);

beforeAll(async () => {
  running = await vault.start();
  place = await running.place();
  cs = place.cs;
  await cs(['put', 'text', 'zQ7 value']);
  await cs(['put', 'binary', '-'], { input: binary });
  writeFileSync(file('template'), '<{{ credstash://text }}>');
  writeFileSync(file('raw'), '<{{ credstash://binary }}>');
});
afterAll(async () => {
  await running.close();
});

describe('-o', () => {
  test('- is stdout, as without it', async () => {
    const options = { cwd: folder };
    for (const args of [
      ['get', 'text'],
      ['get', 'text', '-n'],
      ['get', 't*', '-f', 'csv'],
      ['get', 'text', 'binary', '--json'],
      ['getall'],
      ['getall', '-f', 'yaml'],
      ['render', file('template')],
    ]) {
      const without = await cs(args, options);
      expect(without).toMatchObject({ status: 0, stdout: expect.stringMatching(/zQ7/) as string });
      for (const way of [['-o', '-'], ['-o-'], ['--output=-']]) {
        expect(await cs([...args, ...way], options), args.join(' ')).toEqual(without);
      }
    }
    const bytes = await place.raw(['get', 'binary', '-n', '-o', '-'], options);
    expect(bytes.stdout).toEqual(binary);
    expect(existsSync(file('-'))).toBe(false);
    // And a file of that name is still to be had.
    expect(await cs(['get', 'text', '-o', './-'], options)).toEqual(ok(''));
    expect(readFileSync(file('-'), 'utf8')).toBe('zQ7 value');
  });

  test('of getall is what a get of all writes', async () => {
    for (const format of ['json', 'yaml']) {
      expect(await cs(['getall', '-f', format, '-o', file('all')])).toEqual(ok(''));
      expect(await cs(['get', '*', '-f', format, '-o', file('matching')])).toEqual(ok(''));
      expect(readFileSync(file('all'))).toEqual(readFileSync(file('matching')));
      expect(statSync(file('all')).mode & 0o777).toBe(0o600);
    }
    const before = readFileSync(file('all'), 'utf8');
    expect(await cs(['getall', '-f', 'csv', '-o', file('all')])).toMatchObject({ status: 2 });
    expect(readFileSync(file('all'), 'utf8')).toBe(before);
    expect(await cs(['getall', '-o', folder])).toEqual(failed(2, 'is not a plain file'));
    expect(await cs(['getall', '-o', ''])).toEqual(
      failed(2, 'the name of the output file is empty'),
    );
  });

  test.each([
    ['a file for a folder', () => join(file('template'), 'x'), 'ENOTDIR'],
    ['a folder that does not exist', () => join(file('none'), 'x'), 'ENOENT'],
    ['a name that is too long', () => file('n'.repeat(300)), 'ENAMETOOLONG'],
  ])('%s: a usage error of each command, before anything is asked', async (_, path, code) => {
    for (const args of [
      ['get', 'text'],
      ['getall'],
      ['get', 'text', '--json'],
      ['render', file('template')],
    ]) {
      const none = await cs([...args, '-o', path()], { env: { CREDSTASH_LOCAL: '' } });
      expect(none, args.join(' ')).toEqual(
        failed(2, `the output ${path()} cannot be written (${code})`),
      );
    }
  });

  test.runIf(canMount())('a file in a folder that is read-only: says what works', async () => {
    mkdirSync(file('closed'));
    writeFileSync(file('closed/file'), 'old');
    const folder = file('closed');
    const mounts = await startMounts(
      `mount -t tmpfs none ${folder}; : > ${folder}/file; mount --bind ${file('template')} ${folder}/file; mount -o remount,ro ${folder}`,
    );
    try {
      const { under } = mounts;
      expect(await cs(['get', 'text', '-o', `${folder}/file`], { under })).toEqual(
        failed(2, 'cannot be written (EROFS)', /hint: .* > FILE$/m),
      );
      expect(await cs(['get', 'text', '-o', `${folder}/none`], { under })).toEqual({
        status: 2,
        stdout: '',
        stderr: `credstash: error: the output ${folder}/none cannot be written (EROFS)\n`,
      });
    } finally {
      await mounts.close();
    }
  });

  test('a template that is no file, or below one: a usage error', async () => {
    for (const path of [join(file('template'), 'x'), file('none')]) {
      expect(await cs(['render', path, '-o', file('rendered')])).toEqual(
        failed(2, `${path} cannot be read`),
      );
    }
    expect(existsSync(file('rendered'))).toBe(false);
  });

  test.runIf(canMount())('a file that is mounted by itself: says what works', async () => {
    writeFileSync(file('mounted'), 'old');
    writeFileSync(file('host'), 'old');
    writeFileSync(file('settings'), '{}');
    mkdirSync(file('home'));
    writeFileSync(join(file('home'), '.credstash'), '{}');
    const bind = (one: string, other: string): string => `mount --bind ${one} ${other}`;
    const mounts = await startMounts(
      `${bind(file('host'), file('mounted'))}; ${bind(file('settings'), join(file('home'), '.credstash'))}`,
    );
    try {
      const { under } = mounts;
      for (const args of [['get', 'text'], ['getall'], ['render', file('template')]]) {
        expect(await cs([...args, '-o', file('mounted')], { under })).toEqual(
          failed(1, 'cannot be written (EBUSY)', /hint: .*mount its folder .* > FILE$/m),
        );
      }
      expect(readFileSync(file('host'), 'utf8')).toBe('old');
      expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
      // The advice, followed.
      const { env, args } = place;
      const written = await run([...args, 'get', '-n', 'text'], {
        env,
        under: [...under, 'sh', '-c', `exec "$@" > ${file('mounted')}`, 'sh'],
      });
      expect(asText(written)).toEqual(ok(''));
      expect(readFileSync(file('host'), 'utf8')).toBe('zQ7 value');
      const save = await run(['setup', '--save-kms-region', 'eu-west-1'], {
        under,
        env: { HOME: file('home') },
      });
      expect(asText(save)).toEqual(
        failed(1, 'cannot be written (EBUSY)', /hint: .*add "kms-region": "eu-west-1" to it/),
      );
      const inFolder = await cs(['get', 'text', '-o', file('beside')], { under });
      expect(inFolder).toEqual(ok(''));
    } finally {
      await mounts.close();
    }
  });
});

describe('bytes that are no text', () => {
  const refused =
    /credstash: error: the output is not text, and is not written to a terminal\r\ncredstash: hint: .*-o FILE.*--force/;

  test.each([
    ['get', ['get', 'binary']],
    ['get -n', ['get', '-n', 'binary']],
    ['get -o -', ['get', 'binary', '-o', '-']],
    ['render', ['render', file('raw')]],
  ])('%s does not write them to a terminal, but with --force', async (_, args) => {
    const options = { env: place.env };
    const { status, output } = await pty([...place.args, ...args], options).done;
    expect(status).toBe(2);
    expect(output).toMatch(refused);
    expect(output).not.toContain('\x1b[2J');
    const forced = await pty([...place.args, ...args, '--force'], options).done;
    expect(forced.status).toBe(0);
    expect(forced.output).toContain('\x1b[2J');
  });

  test('the ways that the hint names work', async () => {
    const { env, args } = place;
    const piped = await pty([...args, 'get', 'binary'], {
      env,
      script: (command) => `${command} | cat -v`,
    }).done;
    expect(piped).toEqual({ status: 0, output: 'M-^?^@M-~^[[2J\r\n' });
    const written = await pty([...args, 'get', 'binary', '-o', file('bytes')], { env }).done;
    expect(written).toEqual({ status: 0, output: '' });
    expect(readFileSync(file('bytes'))).toEqual(binary);
  });

  test('text is written as it is: any script, tabs and line ends of both kinds', async () => {
    const { env, args } = place;
    for (const text of ['ü 名前 🔑 שלום\u00a0', 'a\tb\nc\r\nd', 'a\r\n', '\r', '']) {
      await cs(['put', 'written', '-', '-a', '--allow-empty'], { input: text });
      const { status, output } = await pty([...args, 'get', 'written'], { env }).done;
      // The terminal makes CR LF of each LF.
      expect({ status, output }).toEqual({
        status: 0,
        output: `${text}\n`.replaceAll('\n', '\r\n'),
      });
    }
    // A terminal gets the same bytes or none: each format is shown once with harmful ones, and once without.
    const looks = new Set<string>();
    for (const text of ['a\rb', 'a\x07', '\x1b[2J', 'a\x7f', 'a\u009b2J', '\0']) {
      await cs(['put', 'written', '-', '-a', '--allow-empty'], { input: text });
      const { status, output } = await pty([...args, 'get', 'written'], { env }).done;
      expect({ status, output }).toEqual({
        status: 2,
        output: expect.stringMatching(refused) as string,
      });
      for (const format of ['csv', 'dotenv', 'shell', 'properties', 'json', 'yaml']) {
        const formatted = await cs(['get', 'written', '-f', format]);
        if (formatted.status !== 0) continue;
        const isHarmful = /[^\P{Cc}\n]/u.test(formatted.stdout);
        const look = `${format} ${isHarmful}`;
        if (looks.has(look)) continue;
        looks.add(look);
        const shown = await pty([...args, 'get', 'written', '-f', format], { env }).done;
        // oxlint-disable-next-line no-control-regex -- what must not be there
        expect(shown.output.replaceAll('\r\n', ''), format).not.toMatch(/[\x00-\x1f\x7f-\x9f]/);
        expect(shown.status, format).toBe(isHarmful ? 2 : 0);
      }
    }
  });
});

describe('--log-file', () => {
  const get = (path: string, name = 'none'): Promise<unknown> =>
    cs(['--log-file', path, 'get', name]);

  test('takes only a plain file of one name', async () => {
    mkdirSync(file('a-folder'));
    writeFileSync(file('target'), '');
    symlinkSync(file('target'), file('link'));
    symlinkSync(file('nowhere'), file('dangling'));
    execFileSync('mkfifo', [file('pipe')]);
    writeFileSync(file('first'), '');
    linkSync(file('first'), file('second'));
    for (const [path, why] of [
      [file('a-folder'), 'cannot be written (EISDIR)'],
      [file('link'), /cannot be written \(ELOOP\)\n.*hint: links are not followed/],
      [file('dangling'), 'cannot be written (ELOOP)'],
      [file('pipe'), 'is not a plain file'],
      [file('second'), 'has a second name'],
      ['/dev/null', 'is not a plain file'],
      ['/dev/stderr', /cannot be written|is not a plain file/],
      ['-', /hint: .*\.\/-/],
    ] as const) {
      expect(await get(path), path).toEqual(failed(2, why));
    }
    for (const name of ['target', 'first']) expect(readFileSync(file(name), 'utf8')).toBe('');
    expect(existsSync(file('nowhere'))).toBe(false);
    const log = join(file('a-folder'), '-');
    expect(await cs(['--log-file', './-', 'get', 'none'], { cwd: file('a-folder') })).toMatchObject(
      { status: 3 },
    );
    expect(readFileSync(log, 'utf8')).toMatch(/^\S+Z error: there is no secret none/);
  });

  test('a pipe that somebody reads is none either', async () => {
    execFileSync('mkfifo', [file('read')]);
    const script = `timeout 20 cat ${file('read')} & sleep 0.3; credstash --log-file ${file('read')} get text; echo $?; wait`;
    expect(await shell(place, script)).toMatchObject({
      stdout: '2\n',
      stderr: expect.stringContaining('is not a plain file') as string,
    });
  });

  test('a log that takes no more changes nothing', async () => {
    const script = `ulimit -f 0; credstash --log-file ${file('full')} get none; echo $?`;
    expect(await shell(place, script)).toMatchObject({ stdout: '3\n' });
    expect(statSync(file('full')).size).toBe(0);
  });

  test('one entry is one line, whatever a name holds', async () => {
    const now = '2026-11-26T00:00:00.000Z';
    const names = [
      `a\n${now} error: forged`,
      `a\r\n    at forged (x:1:1)`,
      `a\u2028${now} error: forged`,
      `a\u0085b\x0bc\x0cd`,
      'a\nhint: x',
    ];
    for (const [i, name] of names.entries()) {
      const log = file(`log-${i}`);
      expect(await get(log, name)).toMatchObject({ status: 3 });
      // Several failures in one error, by what stands in a table.
      await cs(['put', name, 'x', 'env=prod']);
      expect(await cs(['--log-file', log, 'getall'])).toMatchObject({ status: 6 });
      await cs(['delete', name]);
      const lines = readFileSync(log, 'utf8').split('\n');
      expect(lines.pop()).toBe('');
      for (const line of lines) {
        expect(line).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z (?:error|hint|debug): /);
        expect(line).not.toMatch(/^\S+ debug: +(?:error|hint|at) ?forged/);
        expect(line).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
      }
      expect(lines.filter((line) => /^\S+ error: /.test(line)).length).toBe(3);
      expect(
        lines.filter((line) => line.includes('forged')).every((line) => line.includes('\\u')),
      ).toBe(true);
    }
  });
});

test('- is no folder of a vault', async () => {
  const options = { cwd: folder };
  const folders = readdirSync(folder);
  for (const args of [
    ['copy', '--to-local', '-'],
    ['copy', '--to-local=-'],
    ['get', 'text', '--local=-'],
    ['put', 'x', 'y', '--local=-'],
  ]) {
    expect(await cs(args, options)).toEqual(failed(2, 'a vault is a folder', /hint: .*\.\/-/));
  }
  expect(readdirSync(folder)).toEqual(folders);
  expect(await cs(['copy', '--to-local', './-vault'], options)).toMatchObject({ status: 0 });
  expect(await cs(['list', 'text', '--local=./-vault'], options)).toEqual(
    ok(`text -- version ${v(1)} -- comment \n`),
  );
});
