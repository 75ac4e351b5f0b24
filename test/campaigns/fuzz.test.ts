import fc from 'fast-check';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeContext, parseContext } from '../../src/model/context.ts';
import { findDigestAlgorithm, WRITTEN_DIGESTS } from '../../src/model/entry.ts';
import { parseHeader, parseItem, encodeItem } from '../../src/model/item.ts';
import { CredstashError } from '../../src/errors.ts';
import { parseSecrets } from '../../src/format/parse.ts';
import { checkName } from '../../src/model/name.ts';
import { matchesGlob, checkGlob } from '../../src/model/glob.ts';
import { isReference, parseReference } from '../../src/model/reference.ts';
import { fillTemplate, parseTemplate } from '../../src/operations/render.ts';
import { byteLength, countCharacters, compareUtf8 } from '../../src/util/utf8.ts';
import { checkVersion, nextVersion, padVersion, listSpellings } from '../../src/model/version.ts';
import { awsEnv } from '../end-to-end/backends.ts';
import { anyText, textFrom } from '../format/secrets.ts';
import { tableKeys } from '../support/dynamo.ts';
import { canary, type Ended, expectTame, inProcess } from '../support/in-process.ts';
import { type KmsServer, startKmsServer } from '../support/kms-server.ts';
import { type Recorder, startRecorder } from '../support/recorder.ts';
import { run } from '../support/run.ts';
import { seed } from '../support/seed.ts';
import { size, Tally, timeout } from './campaign.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * Everything that parses, on whatever fast-check thinks of: it takes what it is given, or refuses it in our words.
 */
const tally = new Tally();
const folder = temporaryFolder();
const cwd = process.cwd();
let kms: KmsServer;
let recorder: Recorder;

beforeAll(async () => {
  // Commands write files where they run.
  process.chdir(folder);
  kms = await startKmsServer();
  recorder = await startRecorder({ KMS: kms.url });
  recorder.meddle = (action) => {
    if (action.startsWith('KMS')) return Promise.resolve(undefined);
    if (!action.startsWith('DynamoDB')) return Promise.resolve({ status: 403, body: STS_DENIES });
    const answers: Record<string, string> = {
      'DynamoDB.Query': '{"Items":[]}',
      'DynamoDB.Scan': '{"Items":[]}',
      'DynamoDB.DescribeTable': JSON.stringify({
        Table: {
          TableStatus: 'ACTIVE',
          ...tableKeys,
        },
      }),
    };
    return Promise.resolve({ status: 200, body: answers[action] ?? '{}' });
  };
});
afterAll(async () => {
  process.chdir(cwd);
  await Promise.all([kms.close(), recorder.close()]);
  tally.print('fuzzing');
});

const STS_DENIES =
  '<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>';

/** No input may take more of the processor than this, in microseconds: a hang that ends is one too. */
const MAX_CPU_MICROSECONDS = 10_000_000;

/** Runs `property` on a good many examples. */
async function fuzz<T>(
  what: string,
  arbitrary: fc.Arbitrary<T>,
  runs: number,
  property: (example: T) => void | Promise<void>,
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(arbitrary, async (example) => {
      const start = process.cpuUsage();
      await property(example);
      const { user, system } = process.cpuUsage(start);
      expect(user + system).toBeLessThan(MAX_CPU_MICROSECONDS);
      tally.add(what);
    }),
    { seed, numRuns: runs },
  );
}

/** What `use` gives; undefined where it refuses with one of `codes`. */
async function refusing<T>(
  codes: readonly string[],
  use: () => T,
): Promise<Awaited<T> | undefined> {
  try {
    return await use();
  } catch (error) {
    if (error instanceof CredstashError && codes.includes(error.code)) return undefined;
    throw error;
  }
}

const asBuffer = (bytes: Uint8Array | string): Buffer => Buffer.from(bytes);

const nasty = textFrom(
  '\x1b[]\r\n\t\b\x7f\x85\u202e\u2066\u061c\u2028\ud800\ufeff=*@-~/\\\'"é😀1a ',
);
const text = fc.oneof(nasty, anyText, fc.constantFrom('', '__proto__', 'constructor', 'toString'));
const longText = fc.oneof(
  text,
  fc.tuple(text, fc.integer({ min: 1, max: 5000 })).map(([each, times]) => each.repeat(times)),
);

describe('what the library parses', () => {
  const attribute = fc.oneof(
    fc.record({ S: longText }),
    fc.record({ S: fc.base64String({ maxLength: 400 }) }),
    fc.record({ S: fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('hex')) }),
    fc.record({ B: fc.uint8Array({ maxLength: 7000 }) }),
    fc.uint8Array().map((bytes) => ({ B: Buffer.from(Buffer.from(bytes).toString('hex')) })),
    fc.constantFrom('AES-256-GCM', 'SHA256', 'SHA512', 'MD5', '2026-11-23T10:00:00Z').map((S) => ({
      S,
    })),
    fc.anything(),
  );
  const names = 'name version cipher digest created comment key contents hmac'.split(' ');
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 300 });
  const whole = fc.record(
    {
      name: fc.record({ S: text }),
      version: fc.record({ S: text }),
      cipher: fc.constant({ S: 'AES-256-GCM' }),
      digest: fc.constantFrom('SHA256', 'SHA384', 'SHA512').map((S) => ({ S })),
      created: fc.constantFrom('2026-11-23T10:00:00Z', 'today', '').map((S) => ({ S })),
      comment: fc.record({ S: text }),
      key: fc.record({ B: bytes }),
      contents: fc.record({ B: bytes }),
      hmac: fc.record({ B: bytes }),
    },
    { requiredKeys: ['name', 'version', 'digest', 'key', 'contents', 'hmac'] },
  );
  const original = whole.map(({ name, version, digest, comment, key, contents, hmac }) => ({
    ...{ name, version, digest },
    ...(comment === undefined ? {} : { comment }),
    key: { S: Buffer.from(key.B).toString('base64') },
    contents: { S: Buffer.from(contents.B).toString('base64') },
    hmac: { B: Buffer.from(Buffer.from(hmac.B).toString('hex')) },
  }));
  const changes = fc.dictionary(fc.oneof(fc.constantFrom(...names), text), attribute, {
    maxKeys: 2,
  });
  const item = fc
    .tuple(fc.oneof(whole, original, fc.constant({})), changes)
    .map(([base, changed]): Record<string, unknown> => ({ ...base, ...changed }));

  test(
    'items',
    () =>
      fuzz('items', item, size(700, 150_000), async (item) => {
        const header = parseHeader(item);
        for (const each of Object.values(header)) expect(typeof each).toBe('string');
        const entry = await refusing(['INTEGRITY'], () => parseItem(item));
        if (!entry) return;
        tally.add('items that are entries');
        const encoded = (entry.stored ?? encodeItem(entry)) as ReturnType<typeof encodeItem>;
        // However it was encoded, what this project writes of it is the same entry.
        const { stored: _, ...rewritten } = entry;
        expect(parseItem(encodeItem(entry))).toEqual(rewritten);
        expect(findDigestAlgorithm(entry.digest ?? 'SHA256')).toBeDefined();
        if (entry.cipher === 'AES-256-GCM') {
          expect(entry.created).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
          expect(WRITTEN_DIGESTS).toContain(entry.digest);
        }
        // An original's `created` is somebody else's.
        for (const name of names.filter((each) => each !== 'created' || 'created' in encoded)) {
          if (item[name] === undefined && encoded[name] === undefined) continue;
          expect(encoded[name]).toEqual(plain(item[name]));
        }
      }),
    timeout,
  );

  /** Bytes as Buffer, so that they compare with others. */
  function plain(value: unknown): unknown {
    const { B } = value as { B?: unknown };
    return B instanceof Uint8Array
      ? { B: expect.objectContaining(new Uint8Array(B)) as unknown }
      : value;
  }

  test(
    'names, versions and globs',
    async () => {
      const digits = fc.stringMatching(/^[0-9]{1,30}$/);
      const version = fc.oneof(
        longText,
        digits,
        digits.map(padVersion),
        fc.constant('9'.repeat(3000)),
      );
      await fuzz('versions', version, size(250, 100_000), async (version) => {
        expect(countCharacters(padVersion(version))).toBeGreaterThanOrEqual(19);
        const checked = await refusing(['USAGE'], () => checkVersion(version));
        if (checked !== undefined) {
          expect(checked).toBe(version);
          expect(byteLength(padVersion(version))).toBeLessThanOrEqual(1024);
          expect(new Set(listSpellings(version)).size).toBe(listSpellings(version).length);
        }
        const next = await refusing(['VERSION_NOT_NUMERIC'], () => nextVersion('n', version));
        if (next === undefined) return;
        expect(compareUtf8(version, next)).toBeLessThan(0);
        expect(BigInt(next)).toBe(BigInt(version) + 1n);
      });
      const starred = fc.array(fc.oneof(fc.constant('*'), text), { maxLength: 8 });
      const pair = fc.tuple(
        fc.oneof(
          starred.map((parts) => parts.join('')),
          fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 12 }),
          fc.constantFrom('a*'.repeat(200), `*${'ab'.repeat(100)}*`, '*'.repeat(100_000)),
        ),
        fc.oneof(text, textFrom('ab'), fc.constantFrom('ab'.repeat(300), 'a'.repeat(600))),
      );
      const small = (unit: string, maxLength: number): fc.Arbitrary<string> =>
        fc.string({ unit: fc.constantFrom(...Array.from(unit)), maxLength });
      const tight = fc.tuple(small('ab*', 6), small('ab', 5));
      await fuzz(
        'globs',
        fc.oneof(pair, { arbitrary: tight, weight: 5 }),
        size(150, 50_000),
        async ([glob, name]) => {
          await refusing(['USAGE'], () => checkName(name));
          const short = await refusing(['USAGE'], () => checkGlob(glob));
          if (short !== undefined) expect(matchesGlob(short, name)).toBe(naive(glob, name));
        },
      );
    },
    timeout,
  );

  /** Whether a glob matches, by where each beginning of it can end in the name. */
  function naive(glob: string, name: string): boolean {
    let ends = Uint8Array.of(1, ...new Uint8Array(name.length));
    for (const unit of glob.replace(/\*+/g, '*').split('')) {
      const next = new Uint8Array(ends.length);
      if (unit === '*') next.fill(1, ends.indexOf(1));
      else for (const [at, each] of ends.entries()) if (name[at] === unit) next[at + 1] = each;
      if (!next.includes(1)) return false;
      ends = next;
    }
    return ends.at(-1) === 1;
  }

  test(
    'context arguments',
    () =>
      fuzz(
        'contexts',
        fc.array(
          fc.oneof(
            longText,
            fc.tuple(text, text).map((pair) => pair.join('=')),
          ),
          {
            maxLength: 8,
          },
        ),
        size(500, 200_000),
        async (pairs) => {
          const context = await refusing(['USAGE'], () => parseContext(pairs));
          if (!context) return;
          const expected = new Map(
            pairs.map((pair) => [pair.split('=', 1)[0], pair.replace(/^[^=]*=/, '')]),
          );
          expect(Object.entries(context)).toHaveLength(expected.size);
          for (const [key, value] of expected) expect(context[key ?? '']).toBe(value);
          const length = Object.entries(context).flat().map(byteLength);
          expect(encodeContext(context)).toHaveLength(
            length.reduce((sum, each) => sum + each + 4, 0),
          );
        },
      ),
    timeout,
  );

  test(
    'references and templates',
    async () => {
      const encoded = text.map((each) => encodeURIComponent(each.toWellFormed()));
      const piece = fc.oneof(
        fc.constantFrom('?', '&', '=', '%', '%2', '%ff', '%7B', '#', '|', '+', 'version=', 'k=v'),
        encoded,
        longText,
      );
      const reference = fc
        .array(piece, { maxLength: 8 })
        .map((parts) => `credstash://${parts.join('')}`);
      await fuzz('references', reference, size(120, 100_000), async (reference) => {
        expect(isReference(reference)).toBe(true);
        const parsed = await refusing(['USAGE'], () => parseReference(reference));
        if (!parsed) return;
        tally.add('references that are well-formed');
        expect(checkName(parsed.name)).toBe(parsed.name);
        const pairs = [...Object.entries(parsed.context), ['version', parsed.version]]
          .filter((pair): pair is [string, string] => pair[1] !== undefined)
          .map((pair) => pair.map(encodeURIComponent).join('='));
        const name = `credstash://${encodeURIComponent(parsed.name)}`;
        const query = pairs.length === 0 ? '' : `?${pairs.join('&')}`;
        // Half of a surrogate pair, which a key in JSON may have, stands for itself: it cannot be percent-encoded.
        const encodeField = (field: string): string =>
          Array.from(field, (each) => (each.isWellFormed() ? encodeURIComponent(each) : each)).join(
            '',
          );
        const field = parsed.field === undefined ? '' : `#${encodeField(parsed.field)}`;
        expect(parseReference(`${name}${query}${field}`)).toEqual(parsed);
      });
      const chunk = fc.oneof(
        fc.constantFrom('{{', '}}', '{', '}', ' ', '\n', 'credstash://', '|', 'json', 'shell'),
        reference.map((each) => `{{ ${each} }}`),
        fc.constantFrom('{{credstash://a|base64}}', '{{ credstash://b?k=v | json }}', '{{x}}'),
        text,
      );
      const many = fc
        .tuple(
          fc.constantFrom('{{', '{{ ', '{{credstash://', '}}', '{{credstash://a|', '\n{{'),
          chunk,
        )
        .map(([each, more]) => asBuffer(each.repeat(20_000) + more));
      const template = fc.oneof(
        {
          arbitrary: fc
            .array(fc.oneof(chunk, fc.uint8Array({ maxLength: 20 })), { maxLength: 30 })
            .map((parts) => Buffer.concat(parts.map(asBuffer))),
          weight: 20,
        },
        { arbitrary: many, weight: 1 },
      );
      await fuzz('templates', template, size(50, 50_000), async (template) => {
        const parsed = await refusing(['USAGE'], () => parseTemplate(template, { k: 'w' }));
        if (!parsed) return;
        tally.add('templates that are well-formed');
        const { texts, slots } = parsed;
        const secrets = slots.map((slot) => ({ ...slot, value: asBuffer('"a\'') }));
        const filled = await refusing(['USAGE', 'TOO_LARGE'], () => fillTemplate(texts, secrets));
        if (slots.length === 0) expect(filled).toEqual(template);
      });
    },
    timeout,
  );

  test(
    'what putall reads',
    async () => {
      const value = fc.oneof(
        fc.json({ maxDepth: 3 }),
        text.map((each) => JSON.stringify(each)),
        fc.constantFrom('{"base64":"YQ=="}', '{"base64":"YQ"}', '1e999', '-0', '1'.repeat(400)),
      );
      const object = fc
        .array(fc.tuple(fc.oneof(text, fc.constantFrom('a', 'b')), value), { maxLength: 4 })
        .map((pairs) => `{${pairs.map(([k, v]) => `${JSON.stringify(k)}:${v}`).join()}}`);
      const words = [
        'a',
        'b:',
        ': ',
        '\n',
        '\n  ',
        '- ',
        '? ',
        '|',
        '>-',
        '"',
        "'",
        '#',
        '%YAML 1.2',
      ];
      const more = [
        '---',
        '...',
        '&x ',
        '*x',
        '!!binary ',
        '!!str ',
        '<<: ',
        '[',
        ']',
        '{',
        '}',
        ',',
      ];
      const rest = [
        '\ufeff',
        '\t',
        '\r',
        '\r\n',
        '\0',
        '\u2028',
        'null',
        '2026-11-23',
        'é',
        '\\u00e9',
      ];
      const yaml = fc
        .array(fc.constantFrom(...words, ...more, ...rest), { maxLength: 40 })
        .map((parts) => parts.join(''));
      const many = fc.constantFrom(
        ...['[', '{"a":', '{a: ', '- ', '? ', 'a: &x [', '"', '|\n', '!!binary ', '*', '&a ', '#'],
        ...['{', 'a: {b: ', '\n ', ': ', '%TAG ! x\n', '!<', "'", 'a: |\n  x\n', '\\u'],
      );
      const deep = fc
        .tuple(fc.constantFrom('', 'a: ', '---\n', '{"a":'), many, fc.integer({ min: 1, max: 4 }))
        .map(([start, each, power]) => start + each.repeat(10 ** power));
      const bomb = fc
        .integer({ min: 2, max: 30 })
        .map((levels) =>
          ['a0: &a0 x']
            .concat(
              Array.from(
                { length: levels },
                (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i},`.repeat(9)}]`,
              ),
            )
            .join('\n'),
        );
      const input = fc.oneof(
        { arbitrary: fc.uint8Array({ maxLength: 200 }).map(asBuffer), weight: 1 },
        { arbitrary: fc.oneof(object, yaml, text).map(asBuffer), weight: 20 },
        { arbitrary: fc.oneof(deep, bomb).map(asBuffer), weight: 1 },
      );
      await fuzz('inputs of putall', input, size(300, 50_000), async (input) => {
        const secrets = await refusing(['USAGE', 'TOO_LARGE'], () => parseSecrets(input));
        for (const { name, value } of secrets ?? []) {
          expect(typeof name).toBe('string');
          expect(value).toBeInstanceOf(Uint8Array);
        }
        if (secrets) {
          tally.add('inputs of putall that are secrets');
          // No name is dropped because it comes twice.
          const keys = /^\{"a":[^{}]*,"a":[^{}]*\}$/;
          expect(input.toString()).not.toMatch(keys);
          expect(new Set(secrets.map(({ name }) => name)).size).toBe(secrets.length);
        }
      });
    },
    timeout,
  );
});

/** A secret access key, which no command prints. */
const secretKey = `${canary}key`;

/** Runs a command on the servers of this test, in a home of its own. */
async function cs(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  input = `${canary}stdin`,
): Promise<Ended> {
  const env = {
    ...awsEnv(recorder.url, recorder.url),
    AWS_SECRET_ACCESS_KEY: secretKey,
    AWS_ENDPOINT_URL: recorder.url,
    AWS_MAX_ATTEMPTS: '1',
    AWS_EC2_METADATA_DISABLED: 'true',
    HOME: folder,
    ...environment,
  };
  const ended = await inProcess(args, { env, input });
  recorder.requests.length = 0;
  kms.requests.length = 0;
  expectTame(ended, args);
  tally.add(`status ${ended.status}`);
  return ended;
}

const COMMANDS = [['list'], ['get', 'n'], ['put', 'n', '-'], ['keys'], ['delete', 'n']];

describe('settings', () => {
  const word = fc.oneof(
    nasty,
    fc.constantFrom('', '0', '1', '~', '~/x', './v', 'true', 'eu-west-1', 'alias/credstash', 'x:y'),
    fc.constantFrom(
      '127.0.0.1:1',
      'http://127.0.0.1:1',
      'socks5://127.0.0.1:1',
      'http://[',
      'http://',
    ),
    fc.constantFrom('AES-256-CTR', 'AES-256-GCM', 'default', 'standard', 'adaptive', 'required'),
    fc.constantFrom('x'.repeat(100_000), '\n', '-1', '1e9', '999999999999999999999', 'NaN'),
  );

  test(
    '~/.credstash',
    async () => {
      const json = fc.dictionary(
        fc.oneof(fc.constantFrom('kms-region', 'cipher'), text),
        fc.oneof(word, fc.jsonValue()),
        { maxKeys: 3 },
      );
      const content = fc.oneof(
        fc.uint8Array({ maxLength: 100 }).map(asBuffer),
        fc
          .oneof(
            fc.json(),
            json.map((each) => JSON.stringify(each)),
          )
          .map(asBuffer),
        fc.constantFrom('{"a":'.repeat(100_000), '[', '\ufeff{}', '{}{}').map(asBuffer),
      );
      const arbitrary = fc.tuple(content, fc.constantFrom(...COMMANDS, ['setup']));
      await fuzz('files ~/.credstash', arbitrary, size(15, 3000), async ([content, args]) => {
        writeFileSync(join(folder, '.credstash'), content);
        await cs(args);
        await cs(['setup', '--save-kms-region', 'eu-west-1']);
      });
      writeFileSync(join(folder, '.credstash'), '{}');
    },
    timeout,
  );

  test(
    'environment variables',
    async () => {
      const names = [
        ...[
          'CREDSTASH_LOCAL',
          'CREDSTASH_DEFAULT_TABLE',
          'CREDSTASH_CIPHER',
          'XDG_DATA_HOME',
          'HOME',
        ],
        ...[
          'AWS_REGION',
          'AWS_DEFAULT_REGION',
          'AWS_PROFILE',
          'AWS_DEFAULT_PROFILE',
          'AWS_CA_BUNDLE',
        ],
        ...['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_MAX_ATTEMPTS'],
        ...['AWS_RETRY_MODE', 'HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy', 'NO_PROXY'],
        ...[
          'AWS_ENDPOINT_URL_DYNAMODB',
          'AWS_ENDPOINT_URL_KMS',
          'AWS_ENDPOINT_URL',
          'AWS_ROLE_ARN',
          'AWS_ROLE_SESSION_NAME',
        ],
        ...['AWS_USE_FIPS_ENDPOINT', 'AWS_USE_DUALSTACK_ENDPOINT', 'AWS_WEB_IDENTITY_TOKEN_FILE'],
        ...[
          'AWS_CONFIG_FILE',
          'AWS_SHARED_CREDENTIALS_FILE',
          'AWS_SDK_UA_APP_ID',
          'AWS_DEFAULTS_MODE',
        ],
        ...['AWS_ACCOUNT_ID', 'AWS_ACCOUNT_ID_ENDPOINT_MODE', 'AWS_CREDENTIAL_EXPIRATION'],
        ...['AWS_AUTH_SCHEME_PREFERENCE', 'AWS_SIGV4A_SIGNING_REGION_SET'],
      ];
      const environment = fc.dictionary(fc.constantFrom(...names), word, {
        minKeys: 1,
        maxKeys: 3,
      });
      const arbitrary = fc.tuple(environment, fc.constantFrom(...COMMANDS));
      await fuzz('environments', arbitrary, size(50, 8000), async ([environment, args]) => {
        const safe = Object.entries(environment).map(([name, value]) => {
          // Nothing is sent to another host.
          const isUrl = value === '' || /^\w+:\/\/\w/.test(value);
          if (name.startsWith('AWS_ENDPOINT_URL') && isUrl) return [name, recorder.url];
          if (name === 'AWS_SECRET_ACCESS_KEY') return [name, `${canary}${value}`];
          // Node's server takes no more than 16 KB of headers.
          return [name, /KEY|TOKEN|APP_ID/.test(name) ? value.slice(0, 4000) : value];
        });
        await cs(args, Object.fromEntries(safe) as Record<string, string>);
      });
    },
    timeout,
  );

  test(
    'the files of AWS',
    async () => {
      const key = fc.constantFrom(
        ...['region', 'role_arn', 'source_profile', 'credential_source', 'mfa_serial', 'ca_bundle'],
        ...['aws_access_key_id', 'aws_secret_access_key', 'aws_session_token', 'external_id'],
        ...['sso_session', 'sso_start_url', 'sso_account_id', 'sso_role_name', 'sso_region'],
        ...['web_identity_token_file', 'max_attempts', 'retry_mode', 'use_fips_endpoint', 'output'],
        ...['services', 'endpoint_url', 'duration_seconds', 'role_session_name'],
      );
      const value = fc.oneof(
        word.filter((each) => !/^\w+:\/\/\w/.test(each)),
        fc.constantFrom(
          'a',
          'b',
          'default',
          'Environment',
          'EcsContainer',
          'Bogus',
          'arn:aws:iam::1:role/r',
        ),
      );
      const line = fc.oneof(
        fc.tuple(key, value).map(([name, each]) => `${name} = ${each}`),
        // No other command than these is ever run.
        fc
          .constantFrom('true', 'false', 'echo {}', 'echo', 'printf "\\033[2J{"', 'exit 3')
          .map((command) => `credential_process = ${command}`),
        fc.constantFrom(
          '[default]',
          '[profile a]',
          '[a]',
          '[profile b]',
          '[b]',
          '[sso-session a]',
          '[services a]',
        ),
        fc.constantFrom(
          '[',
          ']',
          '[profile',
          '# x',
          '; x',
          ' nested = 1',
          's3 =\n  a = b',
          '[profile __proto__]',
        ),
        nasty.filter((each) => !each.includes('=')),
      );
      const file = fc.oneof(
        fc.uint8Array({ maxLength: 100 }).map(asBuffer),
        fc.array(line, { maxLength: 10 }).map((lines) => Buffer.from(lines.join('\n'))),
      );
      const profile = fc.constantFrom('a', 'b', 'default', 'none', '__proto__');
      const arbitrary = fc.tuple(file, file, profile, fc.constantFrom(...COMMANDS), fc.boolean());
      await fuzz(
        'files of AWS',
        arbitrary,
        size(20, 4000),
        async ([config, credentials, profile, args, keys]) => {
          // The SDK remembers a file by its name.
          const files = mkdtempSync(join(folder, 'aws-'));
          writeFileSync(join(files, 'config'), config);
          writeFileSync(join(files, 'credentials'), credentials);
          await cs(['-p', profile, ...args], {
            AWS_CONFIG_FILE: join(files, 'config'),
            AWS_SHARED_CREDENTIALS_FILE: join(files, 'credentials'),
            ...(keys ? {} : { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' }),
          });
        },
      );
    },
    timeout,
  );
});

describe('command lines', () => {
  const options = [
    ...['-r', '--region', '--kms-region', '-t', '--table', '-p', '--profile', '-n', '--arn'],
    ...[
      '--external-id',
      '--label',
      '--local=vault',
      '--local',
      '--local=',
      '--log-level',
      '--log-level=debug',
      '--log-file',
    ],
    ...[
      '-v',
      '--version',
      '-f',
      '--format',
      '-k',
      '--key',
      '-c',
      '--comment',
      '-a',
      '-d',
      '--digest',
    ],
    ...['--cipher', '-o', '--output', '--default', '--raw-names', '--skip-undecryptable', '--json'],
    ...['--skip-unchanged', '--tags', '--save-kms-region', '--noline', '--literal', '--help', '-h'],
    ...['--', '-', '-nv3', '-v=3', '--ver', '--f=json', '--no-such', '-x', '--reg=eu-west-1'],
  ];
  const values = [
    ...[
      'n',
      'app.*',
      '*',
      'a=b',
      'a=b=c',
      '=',
      'x=',
      '1',
      '0001',
      '-1',
      'SHA256',
      'MD5',
      'AES-256-CTR',
    ],
    ...[
      'json',
      'yaml',
      'csv',
      'dotenv',
      'eu-west-1',
      'alias/credstash',
      'credential-store',
      '@none',
    ],
    ...[
      '@.',
      '@',
      '{"a":"b"}',
      '{"a":1}',
      'a: b',
      '{',
      'vault',
      'file',
      '/dev/null',
      '',
      ' ',
      '-x y',
    ],
    ...[
      'arn:aws:dynamodb:eu-west-1:1:table/abc',
      'credstash:name=x',
      '__proto__=x',
      'debug',
      'INFO',
    ],
  ];
  const commands = [
    'setup',
    'put',
    'putall',
    'get',
    'getall',
    'render',
    'list',
    'keys',
    'delete',
    'help',
    'none',
  ];
  // Nothing is written elsewhere, and nobody is asked.
  const word = fc
    .oneof(
      { arbitrary: fc.constantFrom(...options), weight: 4 },
      { arbitrary: fc.constantFrom(...values), weight: 4 },
      { arbitrary: longText.map((each) => each.replace(/[/P\0]/g, '_')), weight: 1 },
      { arbitrary: fc.constantFrom(...commands), weight: 1 },
    )
    .filter((each) => !each.startsWith('--p') || each === '--profile');
  const line = fc
    .tuple(
      fc.array(fc.constantFrom(...options, ...values), { maxLength: 3 }),
      fc.constantFrom(...commands),
      fc.array(word, { maxLength: 7 }),
    )
    .map(([before, command, after]) => [...before, command, ...after])
    .filter((words) => words.every((each) => !each.includes('\ufffd')));

  test(
    'in this process',
    () =>
      fuzz('command lines', line, size(75, 8000), async (words) => {
        await cs(words.map((each) => each.toWellFormed()));
      }),
    timeout,
  );

  test(
    'as processes',
    async () => {
      const lines = fc.sample(line, { seed, numRuns: size(4, 200) });
      for (let at = 0; at < lines.length; at += 2) {
        const two = lines.slice(at, at + 2).map(async (each) => {
          // No process has an argument with a NUL, or one of over 128 KB.
          const args = each.map((word) =>
            word.toWellFormed().replaceAll('\0', '').slice(0, 10_000),
          );
          const env = { ...awsEnv(recorder.url, recorder.url), AWS_MAX_ATTEMPTS: '1' };
          expectTame(await run(args, { env, input: '' }), args);
          tally.add('command lines as processes');
        });
        await Promise.all(two);
      }
    },
    timeout,
  );
});
