import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunOptions } from '../support/run.ts';
import { backends, failed, ok, type Place, type Running, stored } from './backends.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const everyByte = Buffer.from(Array.from({ length: 256 }, (_, i) => i));

describe.each(backends)('$name', ({ start }) => {
  let running: Running;
  let place: Place;
  const folder = temporaryFolder();
  const file = (name: string): string => join(folder, name);
  beforeAll(async () => {
    running = await start();
    place = await running.place();
  });
  afterAll(async () => {
    await running.close();
  });

  /** Puts, and reads back by all the ways there are. */
  async function survives(
    name: string,
    secret: Uint8Array,
    value: readonly string[],
    options: RunOptions = {},
  ): Promise<void> {
    expect(await place.cs(['put', name, ...value], options)).toEqual(stored(name));
    const bare = await place.raw(['get', '-n', name]);
    expect(bare).toMatchObject({ status: 0, stderr: '' });
    expect(Buffer.compare(bare.stdout, secret)).toBe(0);
    const line = await place.raw(['get', name]);
    expect(Buffer.compare(line.stdout, Buffer.concat([secret, Buffer.from('\n')]))).toBe(0);
  }

  test('a binary secret, from stdin and from a file', async () => {
    writeFileSync(file('bytes'), everyByte);
    await survives('bytes.dash', everyByte, ['-'], { input: everyByte });
    await survives('bytes.left-out', everyByte, [], { input: everyByte });
    await survives('bytes.file', everyByte, [`@${file('bytes')}`]);
    await survives('bytes.home', everyByte, ['@~/bytes'], { env: { HOME: folder } });
    await survives('bytes.relative', everyByte, ['@bytes'], { cwd: folder });
  });

  test('newlines at the end are part of what stdin and a file hold [compat 15]', async () => {
    const text = Buffer.from('\r\nline\n\n');
    writeFileSync(file('lines'), text);
    await survives('lines.dash', text, ['-'], { input: text });
    await survives('lines.left-out', text, [], { input: text });
    await survives('lines.file', text, [`@${file('lines')}`]);
  });

  test('the empty secret', async () => {
    writeFileSync(file('empty'), '');
    const allowed = '--allow-empty';
    await survives('empty.dash', Buffer.of(), ['-', allowed], { input: '' });
    await survives('empty.left.out', Buffer.of(), [allowed], { input: '' });
    await survives('empty.file', Buffer.of(), [`@${file('empty')}`, allowed]);
    await survives('empty.ctr', Buffer.of(), ['-', allowed, '--cipher', 'AES-256-CTR'], {
      input: '',
    });
  });

  test('an empty VALUE is stored, and told; an empty stdin or file is refused [compat 52]', async () => {
    expect(await place.cs(['put', 'empty.text', ''])).toEqual({
      status: 0,
      stdout: 'empty.text has been stored\n',
      stderr: 'credstash: warning: the value is empty: empty.text is an empty secret\n',
    });
    expect(await place.cs(['get', '-n', 'empty.text'])).toEqual(ok(''));
    writeFileSync(file('empty'), '');
    const hint = 'to store an empty secret on purpose, add --allow-empty';
    for (const args of [['-'], []]) {
      expect(await place.cs(['put', '-a', 'empty.text', ...args], { input: '' })).toEqual(
        failed(2, 'stdin is empty', hint),
      );
    }
    expect(await place.cs(['put', 'none', `@${file('empty')}`])).toEqual(
      failed(2, 'the file named after @ is empty', hint),
    );
    expect(await place.cs(['list', 'none'])).toEqual(ok(''));
    expect(
      (await place.cs(['history', 'empty.text', '--json'])).stdout.match(/"version"/g),
    ).toHaveLength(1);
  });

  test('text, and what --literal and -- make of it [compat 10]', async () => {
    await survives('text', Buffer.from('pass wörd 😀'), ['pass wörd 😀']);
    await survives('text.literal', Buffer.from('plain'), ['plain', '--literal']);
    await survives('dash.literal', Buffer.from('-'), ['-', '--literal']);
    await survives('at.literal', Buffer.from('@file'), ['--literal', '@file']);
    await survives('dash', Buffer.from('-secret'), ['--', '-secret']);
    await survives('dashes', Buffer.from('--autoversion'), ['--', '--autoversion']);
    await survives('two', Buffer.from('--'), ['--', '--']);
    await survives('local', Buffer.from('--local'), ['--', '--local']);
  });

  test('names with spaces, slashes, unicode, and of 2048 bytes', async () => {
    for (const name of [
      'two words',
      '/path/to/it',
      'päth/😀/秘密',
      'a=b',
      '@name',
      '.',
      '__proto__',
      'ü'.repeat(1024),
    ]) {
      await survives(name, Buffer.from(`of ${name}`), [`of ${name}`]);
    }
    expect(await place.cs(['put', '--', '-dash', 'x'])).toEqual(stored('-dash'));
    expect(await place.cs(['get', '-n', '--', '-dash'])).toEqual(ok('x'));
    expect(await place.cs(['delete', '--', '-dash'])).toMatchObject({ status: 0 });
    // One text to a person, two names to a computer: neither is turned into the other.
    expect(await place.cs(['put', 'é', 'composed'])).toEqual(stored('é'));
    expect(await place.cs(['get', 'e\u0301'])).toEqual(failed(3, 'there is no secret'));
  });

  test('290,000 bytes, in both formats', async () => {
    const large = Buffer.alloc(290_000, everyByte);
    await survives('large', large, ['-'], { input: large });
    await survives('large.ctr', large, ['-', '--cipher', 'AES-256-CTR'], { input: large });
  });

  test.each(['AES-256-GCM', 'AES-256-CTR'])(
    'the largest that fits in %s, and one byte too many',
    async (cipher) => {
      const name = `largest.${cipher}`;
      const put = (bytes: number): ReturnType<Place['cs']> =>
        place.cs(['put', name, '--cipher', cipher, '-c', 'ü'], {
          input: Buffer.alloc(bytes, everyByte),
        });
      const asked = running.kms?.requests.length;
      // An error tells the size of the whole entry, and so how much there is besides the secret.
      const over = await put(409_500);
      expect(over).toEqual(failed(2, `${name} is too large`, '409600 (400 KB)'));
      const size = Number(/would have (\d+) bytes/.exec(over.stderr)?.[1]);
      const perByte = cipher === 'AES-256-CTR' ? 3 / 4 : 1; // base64
      const most = 409_500 - Math.ceil((size - 409_600) * perByte);
      expect(most).toBeGreaterThan(cipher === 'AES-256-CTR' ? 305_000 : 408_000);
      const fits = Math.floor(most / 3) * 3; // base64 comes in threes
      const largest = cipher === 'AES-256-CTR' ? fits : most;
      expect(await put(largest + 1)).toEqual(failed(2, `${name} is too large`));
      expect(await place.cs(['list', name])).toEqual(ok(''));
      expect(running.kms?.requests.length).toBe(asked);
      const secret = Buffer.alloc(largest, everyByte);
      await survives(name, secret, ['--cipher', cipher, '-c', 'ü'], { input: secret });
    },
  );

  test('far too large, from a file, from stdin, and without an end', async () => {
    const asked = running.kms?.requests.length;
    writeFileSync(file('huge'), Buffer.alloc(1_000_000));
    const huge = { input: Buffer.alloc(1_000_000) };
    expect(await place.cs(['put', 'huge', `@${file('huge')}`])).toEqual(failed(2, '409600'));
    expect(await place.cs(['put', 'huge', '-'], huge)).toEqual(failed(2, '409600'));
    expect(await place.cs(['put', 'huge', '@/dev/zero'])).toEqual(failed(2, '409600'));
    expect(await place.cs(['list', 'huge'])).toEqual(ok(''));
    expect(running.kms?.requests.length).toBe(asked);
  });
});
