import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkContext } from '../src/model/context.ts';
import { hasCode } from '../src/errors.ts';
import { matchesGlob } from '../src/model/glob.ts';
import {
  policyOf,
  type PolicyOptions,
  type PolicyPlace,
  type Role,
  ROLES,
} from '../src/iam-policy.ts';
import { allows, type Ask, contextKeys } from './support/iam.ts';

const place: PolicyPlace = {
  table: 'credential-store',
  key: 'alias/credstash',
  region: 'eu-west-1',
  kmsRegion: 'eu-central-1',
};
const account = '123456789012';
const keyArn = `arn:aws:kms:eu-west-1:${account}:key/12345678-1234-1234-1234-123456789abc`;

function statements(role: Role, of: Partial<PolicyPlace> = {}, options: PolicyOptions = {}) {
  return policyOf(role, { ...place, ...of }, options).Statement;
}

describe('a policy', () => {
  it('of a reader, with everything filled in', () => {
    expect(policyOf('reader', place, { account })).toEqual({
      Version: '2012-10-17',
      Statement: [
        {
          Sid: 'Entries',
          Effect: 'Allow',
          Action: ['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:Scan'],
          Resource: `arn:aws:dynamodb:eu-west-1:${account}:table/credential-store`,
        },
        {
          Sid: 'DataKeys',
          Effect: 'Allow',
          Action: ['kms:Decrypt'],
          Resource: `arn:aws:kms:eu-central-1:${account}:key/*`,
          Condition: { 'ForAnyValue:StringEquals': { 'kms:ResourceAliases': 'alias/credstash' } },
        },
      ],
    });
  });

  it('of a writer that changes fields reads under the same conditions', () => {
    const [entries, dataKeys] = statements('writer', { key: keyArn }, { name: 'app.*' });
    const [, changing] = statements('writer', { key: keyArn }, { name: 'app.*', fields: true });
    expect(statements('writer', { key: keyArn }, { name: 'app.*', fields: true })).toEqual([
      entries,
      { ...dataKeys, Action: ['kms:GenerateDataKey', 'kms:Decrypt'] },
    ]);
    expect(changing).toHaveProperty('Condition');
    for (const role of ['reader', 'admin', 'setup'] as const) {
      expect(() => statements(role, { key: keyArn }, { fields: true })).toThrow(/only a writer/);
    }
  });

  it('of a writer by name and context, under a key that is named by its ARN', () => {
    const context = checkContext([
      ['env', 'prod'],
      ['cost', '$5 ${aws:username}*'],
    ]);
    expect(statements('writer', { key: keyArn }, { name: 'app.*', context })).toEqual([
      {
        Sid: 'Entries',
        Effect: 'Allow',
        Action: ['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:PutItem'],
        Resource: 'arn:aws:dynamodb:eu-west-1:*:table/credential-store',
        Condition: {
          'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': 'app.*' },
          Null: { 'dynamodb:LeadingKeys': 'false' },
        },
      },
      {
        Sid: 'DataKeys',
        Effect: 'Allow',
        Action: ['kms:GenerateDataKey'],
        Resource: keyArn,
        Condition: {
          StringEquals: {
            'kms:EncryptionContext:env': 'prod',
            'kms:EncryptionContext:cost': '${$}5 ${$}{aws:username}*',
          },
          StringLike: { 'kms:EncryptionContext:credstash:name': 'app.*' },
          'ForAllValues:StringEquals': {
            'kms:EncryptionContextKeys': ['credstash:name', 'env', 'cost'],
          },
          Null: { 'kms:EncryptionContextKeys': 'false' },
        },
      },
    ]);
  });

  it.each([
    ['an id', '12345678-1234-1234-1234-123456789abc', 'aws', '*'],
    ['an id of several regions', 'mrk-0123456789abcdef0123456789abcdef', 'aws', '*'],
  ])('names the key by %s', (_, key) => {
    const [, dataKeys] = statements('reader', { key }, { account });
    expect(dataKeys).toMatchObject({ Resource: `arn:aws:kms:eu-central-1:${account}:key/${key}` });
    expect(dataKeys).not.toHaveProperty('Condition');
  });

  it("takes region and account of an alias from its ARN, and then needs nobody's", () => {
    const key = `arn:aws-cn:kms:cn-north-1:${account}:alias/a/b`;
    expect(statements('reader', { key })[1]).toMatchObject({
      Resource: `arn:aws-cn:kms:cn-north-1:${account}:key/*`,
      Condition: { 'ForAnyValue:StringEquals': { 'kms:ResourceAliases': 'alias/a/b' } },
    });
    expect(JSON.stringify(statements('reader', { key }))).not.toContain('aws:ResourceAccount');
    expect(JSON.stringify(statements('reader'))).toContain('aws:ResourceAccount');
  });

  it.each([
    ['cn-north-1', 'aws-cn'],
    ['us-gov-west-1', 'aws-us-gov'],
    ['us-iso-east-1', 'aws-iso'],
    ['us-isob-east-1', 'aws-iso-b'],
    ['eusc-de-east-1', 'aws-eusc'],
    ['us-east-1', 'aws'],
  ])('of %s has ARNs of %s', (region, partition) => {
    for (const { Resource } of statements('setup', { region, kmsRegion: region })) {
      for (const each of [Resource].flat()) {
        if (each !== '*') expect(each.split(':')[1]).toBe(partition);
      }
    }
  });

  it('takes a table that is named by its ARN as it is', () => {
    const table = `arn:aws:dynamodb:us-east-2:${account}:table/t`;
    expect(statements('reader', { table })[0]).toMatchObject({ Resource: table });
  });

  it('of an admin is about one key, and not about its table and key if it is about some names', () => {
    const sids = (...args: Parameters<typeof statements>): string[] =>
      statements(...args).map(({ Sid }) => Sid);
    const key = keyArn;
    expect(sids('admin', { key })).toEqual(['Entries', 'DataKeys', 'Table', 'Key']);
    expect(sids('admin', { key }, { name: 'a' })).toEqual(['Entries', 'DataKeys']);
    for (const { Action, Resource } of statements('admin', { key })) {
      const isOfKey = Action.every((action) => action.startsWith('kms:'));
      expect(Resource).toEqual(isOfKey ? key : expect.stringContaining(':table/credential-store'));
    }
  });

  it.each([
    ['alias/credstash', 'eu-central-1'],
    ['12345678-1234-1234-1234-123456789abc', 'eu-central-1'],
    [`arn:aws:kms:us-east-2:${account}:alias/a`, 'us-east-2'],
  ])('of an admin is refused for the key %s, and the hint gets its ARN', (key, region) => {
    for (const options of [{}, { name: 'a' }, { account }]) {
      expect(() => statements('admin', { key }, options)).toThrow(
        expect.objectContaining({
          code: 'USAGE',
          hint: expect.stringMatching(
            RegExp(
              `give with \`key\` .*aws kms describe-key --key-id ${key} --query KeyMetadata.Arn --output text --region ${region}$`,
            ),
          ) as string,
        }),
      );
    }
  });

  it('of setup says in each Sid for how long it is, and has what creates a key only for an alias', () => {
    const sids = statements('setup').map(({ Sid }) => Sid);
    for (const sid of sids) expect(sid).toMatch(/ForAnHour$/);
    expect(sids.length).toBeGreaterThan(5);
    for (const key of [keyArn, '12345678-1234-1234-1234-123456789abc']) {
      expect(JSON.stringify(statements('setup', { key }))).not.toMatch(/kms:|iam:/);
    }
  });

  it.each([{ name: 'a' }, { context: { env: 'prod' } }])(
    'of setup is refused for %j',
    (options) => {
      expect(() => statements('setup', {}, options)).toThrow(
        expect.toSatisfy((error) => hasCode(error, 'USAGE')),
      );
    },
  );

  it('by name has no Scan, whatever the role', () => {
    for (const role of ROLES) {
      if (role === 'setup') continue;
      const policy = JSON.stringify(statements(role, { key: keyArn }, { name: '*' }));
      expect(policy).not.toContain('Scan');
    }
  });

  it('has only what makes an identifier in a Sid, and no Sid twice', () => {
    for (const role of ROLES) {
      const key = role === 'admin' ? keyArn : place.key;
      const sids = statements(role, { key }).map(({ Sid }) => Sid);
      expect(new Set(sids).size).toBe(sids.length);
      for (const sid of sids) expect(sid).toMatch(/^[A-Za-z0-9]+$/);
    }
  });

  it.each<[string, Partial<PolicyPlace>, PolicyOptions]>([
    ['an empty name', {}, { name: '' }],
    ['a name that is too long', {}, { name: 'x'.repeat(2049) }],
    ['a name in Cyrillic', {}, { name: 'ключ' }],
    ['a name with a control character', {}, { name: 'a\u0001' }],
    ['a context in Cyrillic', {}, { context: checkContext([['a', 'ключ']]) }],
    ['a key of the context in Cyrillic', {}, { context: checkContext([['ключ', 'a']]) }],
    ['an account that is none', {}, { account: '12345678901' }],
    ['an account with a wildcard', {}, { account: '12345678901*' }],
    ['a key that is none', { key: 'credstash' }, {}],
    ['a key with a wildcard', { key: `arn:aws:kms:eu-west-1:${account}:key/*` }, {}],
    ['an alias with a wildcard', { key: 'alias/*' }, {}],
    ['an alias with a variable', { key: 'alias/${aws:username}' }, {}],
    ['a table with a wildcard', { table: 'credential-*' }, {}],
    ['a table with a variable', { table: '${aws:username}' }, {}],
    ['a table of another ARN', { table: `arn:aws:dynamodb:eu-west-1:${account}:table/*` }, {}],
    ['a table of any region', { table: `arn:aws:dynamodb:*:${account}:table/t` }, {}],
    ['a table of any account', { table: 'arn:aws:dynamodb:eu-west-1:*:table/t' }, {}],
    ['a table of any partition', { table: `arn:*:dynamodb:eu-west-1:${account}:table/t` }, {}],
    ['an index', { table: `arn:aws:dynamodb:eu-west-1:${account}:table/t/index/*` }, {}],
    ['an empty table', { table: '' }, {}],
    ['a region with a wildcard', { region: 'eu-*' }, {}],
    ['a region of KMS with a wildcard', { kmsRegion: '*' }, {}],
    ['a region with a colon', { region: 'eu-west-1:1' }, {}],
    ['the name as a pair', {}, { context: { 'credstash:name': 'x' } }],
    ['the name as a pair in another case', {}, { context: { 'Credstash:NAME': 'x' } }],
    ['two pairs that IAM takes for one', {}, { context: { env: 'x', ENV: 'y' } }],
    ['a pair without a value', {}, { context: { env: '' } }],
  ])('is refused for %s', (_, of, options) => {
    expect(() => statements('reader', of, options)).toThrow(
      expect.toSatisfy((error) => hasCode(error, 'USAGE')),
    );
  });

  it('by name matches what the glob matches, and nothing else', () => {
    const character = fc.constantFrom('*', '?', '$', '{', '}', '\\', '.', 'a', 'b', 'é', '[');
    const text = fc.array(character, { minLength: 1, maxLength: 6 }).map((all) => all.join(''));
    fc.assert(
      fc.property(text, text, (name, secret) => {
        const policy = policyOf('reader', place, { name, account });
        const ask = {
          action: 'dynamodb:GetItem',
          resource: `arn:aws:dynamodb:eu-west-1:${account}:table/credential-store`,
          keys: { 'dynamodb:LeadingKeys': [secret] },
        };
        const open = {
          action: 'kms:Decrypt',
          resource: `arn:aws:kms:eu-central-1:${account}:key/x`,
          keys: {
            'kms:ResourceAliases': ['alias/credstash'],
            ...contextKeys({ 'credstash:name': secret }),
          },
        };
        expect(allows([policy], ask)).toBe(matchesGlob(name, secret));
        expect(allows([policy], open)).toBe(matchesGlob(name, secret));
      }),
      { numRuns: 2000 },
    );
  });

  it('by name allows no request that names no secret', () => {
    const policy = policyOf('admin', { ...place, key: keyArn }, { name: 'a*', account });
    const resource = `arn:aws:dynamodb:eu-west-1:${account}:table/credential-store`;
    for (const action of ['Query', 'GetItem', 'PutItem', 'Scan']) {
      expect(allows([policy], { action: `dynamodb:${action}`, resource, keys: {} })).toBe(false);
    }
    const all = { 'dynamodb:LeadingKeys': ['ab', 'b'] };
    expect(allows([policy], { action: 'dynamodb:Query', resource, keys: all })).toBe(false);
  });
});

describe('the encryption context that a policy grants', () => {
  type Pairs = Readonly<Record<string, string>>;
  /** Whether a reader may open, and a writer may seal, under these pairs: the same for both. */
  const grants = (options: PolicyOptions, pairs: Pairs): boolean => {
    const answers = [
      ['reader', 'kms:Decrypt'] as const,
      ['writer', 'kms:GenerateDataKey'] as const,
    ].map(([role, action]) =>
      allows([policyOf(role, { ...place, key: keyArn }, options)], {
        action,
        resource: keyArn,
        keys: contextKeys(pairs),
      }),
    );
    expect(new Set(answers).size).toBe(1);
    return answers[0] === true;
  };
  const named = { 'credstash:name': 'app.a' };
  const prod = { env: 'prod', team: 'a' };

  it.each<[string, PolicyOptions, readonly Pairs[], readonly Pairs[]]>([
    [
      'a name: secrets without pairs',
      { name: 'app.*' },
      [named],
      [
        {},
        { 'credstash:name': 'other' },
        { 'credstash:name': 'APP.a' },
        { 'Credstash:Name': 'app.a' },
        { 'CREDSTASH:NAME': 'app.a' },
        { 'credstash:name': 'other', 'CREDSTASH:NAME': 'app.a' },
        { 'CREDSTASH:NAME': 'other', ...named },
        { 'cred\u017ftash:name': 'app.a' },
        { name: 'app.a' },
        { ...named, env: 'prod' },
        { env: 'prod' },
      ],
    ],
    [
      'one pair: secrets with it and no other, in both formats',
      { context: { env: 'prod' } },
      [{ ...named, env: 'prod' }, { env: 'prod' }],
      [
        {},
        named,
        { env: 'test' },
        { env: 'Prod' },
        { ENV: 'prod' },
        { ...named, Env: 'prod' },
        { env: 'test', ENV: 'prod' },
        { ENV: 'test', env: 'prod' },
        { ...named, env: 'prod', team: 'a' },
        { env: 'prod', 'Credstash:Name': 'x' },
      ],
    ],
    [
      'two pairs: secrets with both',
      { context: prod },
      [{ ...named, ...prod }, prod],
      [{ env: 'prod' }, { env: 'prod', TEAM: 'a' }, { ...prod, team: 'b' }, { ...prod, TEAM: 'a' }],
    ],
    [
      'a name and a pair',
      { name: 'app.*', context: { env: 'prod' } },
      [{ ...named, env: 'prod' }],
      [
        named,
        { env: 'prod' },
        { 'credstash:name': 'x', env: 'prod' },
        { 'Credstash:name': 'app.a', env: 'prod' },
        { ...named, ENV: 'prod' },
        { ...named, env: 'prod', x: 'y' },
      ],
    ],
    [
      'a pair that looks like wildcards and variables',
      { context: { '$k*?': '${aws:username}*?' } },
      [{ '$k*?': '${aws:username}*?' }],
      [{ $kab: '${aws:username}*?' }, { '$k*?': 'janexx' }, { '$k*?': '${aws:username}ab' }],
    ],
    ['nothing: every secret', {}, [{}, named, prod, { ...named, ...prod, Env: 'x' }], []],
  ])('by %s', (_, options, granted, denied) => {
    for (const pairs of granted) expect(grants(options, pairs), JSON.stringify(pairs)).toBe(true);
    for (const pairs of denied) expect(grants(options, pairs), JSON.stringify(pairs)).toBe(false);
  });

  it('is exactly these pairs, whatever they are', () => {
    const key = fc.constantFrom('env', 'Env', 'ENV', 'team', 'credstash:name', 'Credstash:name');
    const value = fc.constantFrom('a', 'b', 'A');
    const request = fc.dictionary(key, value, { maxKeys: 4 });
    const pairs = fc.dictionary(fc.constantFrom('env', 'team', 'ENV'), value, { maxKeys: 2 });
    const name = fc.constantFrom('a', 'b*', undefined);
    fc.assert(
      fc.property(pairs, name, request, (context, name, request) => {
        fc.pre(!('env' in context && 'ENV' in context));
        const { 'credstash:name': secret, ...own } = request;
        const isSame = (one: Pairs, other: Pairs): boolean =>
          JSON.stringify(Object.entries(one).sort()) ===
          JSON.stringify(Object.entries(other).sort());
        const isUnrestricted = name === undefined && Object.keys(context).length === 0;
        const isNamed = name === undefined || (secret !== undefined && matchesGlob(name, secret));
        expect(grants({ name, context }, request)).toBe(
          isUnrestricted || (isNamed && isSame(own, context)),
        );
      }),
      { numRuns: 3000 },
    );
  });
});

describe('an attacker', () => {
  const at = { ...place, kmsRegion: 'eu-west-1' };
  const own = { id: 'own', aliases: ['alias/credstash'] };
  const arnOf = (id: string, { region = 'eu-west-1', owner = account } = {}): string =>
    `arn:aws:kms:${region}:${owner}:key/${id}`;
  const ownArn = arnOf('12345678-1234-1234-1234-123456789abc');

  /** What KMS can be asked to do with a key, but for looking at it. */
  const KMS_ACTIONS = [
    ...['CancelKeyDeletion', 'CreateAlias', 'CreateGrant', 'Decrypt', 'DeleteAlias'],
    ...['DeleteImportedKeyMaterial', 'DeriveSharedSecret', 'DisableKey', 'DisableKeyRotation'],
    ...['EnableKey', 'EnableKeyRotation', 'Encrypt', 'GenerateDataKey', 'GenerateDataKeyPair'],
    ...['GenerateDataKeyPairWithoutPlaintext', 'GenerateDataKeyWithoutPlaintext', 'GenerateMac'],
    ...['ImportKeyMaterial', 'PutKeyPolicy', 'ReEncryptFrom', 'ReEncryptTo', 'ReplicateKey'],
    ...['RetireGrant', 'RevokeGrant', 'RotateKeyOnDemand', 'ScheduleKeyDeletion', 'Sign'],
    ...['SynchronizeMultiRegionKey', 'TagResource', 'UntagResource', 'UpdateAlias'],
    ...['UpdateKeyDescription', 'UpdatePrimaryRegion', 'Verify', 'VerifyMac'],
  ].map((action) => `kms:${action}`);
  /** What uses a key, or lets somebody else use it. */
  const NEVER = KMS_ACTIONS.filter(
    (action) =>
      !/:(CreateAlias|Decrypt|EnableKeyRotation|Encrypt|GenerateDataKey|ReEncrypt\w+|TagResource)$/.test(
        action,
      ),
  );

  /** Every way to be asked for a key: who it is, the alias that the caller says, and the best context and tags. */
  const askKey = (
    action: string,
    key: {
      readonly arn: string;
      readonly aliases?: readonly string[];
      readonly tags?: Readonly<Record<string, string>>;
    },
  ): Ask => {
    const tags = { Name: 'credstash' };
    return {
      action,
      resource: key.arn,
      keys: {
        'aws:PrincipalAccount': account,
        'aws:ResourceAccount': key.arn.split(':')[4] ?? '',
        'kms:RequestAlias': 'alias/credstash',
        'kms:ResourceAliases': key.aliases ?? [],
        'aws:RequestTag/Name': tags.Name,
        'aws:TagKeys': Object.keys(tags),
        ...Object.fromEntries(
          Object.entries(key.tags ?? {}).map(([tag, value]) => [`aws:ResourceTag/${tag}`, value]),
        ),
        ...contextKeys({ 'credstash:name': 'app.a', env: 'prod' }),
      },
    };
  };

  const narrowing: PolicyOptions[] = [
    {},
    { name: 'app.*', context: { env: 'prod' } },
    { context: { env: 'prod' } },
  ];
  /** Every policy that is printed: of each role, by alias, id and ARN, with and without an account, narrowed or not. */
  const all = ROLES.flatMap((role) =>
    [
      place.key,
      '12345678-1234-1234-1234-123456789abc',
      ownArn,
      arnOf('x').replace('key/x', place.key),
    ].flatMap((key) =>
      (role === 'setup' ? [{}] : narrowing).flatMap((options) =>
        [undefined, account].flatMap((number) => {
          if (role === 'admin' && key !== ownArn) return [];
          const given = { ...options, account: number };
          const policy = policyOf(role, { ...at, key }, given);
          return [{ role, key, options: given, policy }];
        }),
      ),
    ),
  );
  const about = (of: (typeof all)[number], ask: Ask): string =>
    JSON.stringify({ role: of.role, key: of.key, options: of.options, ask });

  it("reaches no key but the policy's, whatever alias they say and whatever tag it has", () => {
    const strangers = [
      { arn: arnOf('x'), aliases: ['alias/db'] },
      { arn: arnOf('x'), aliases: ['alias/db'], tags: { Name: 'credstash' } },
      { arn: arnOf('x'), aliases: ['alias/credstash2', 'alias/xcredstash', 'alias/Credstash'] },
      { arn: arnOf('x', { region: 'us-east-1' }), aliases: ['alias/db'] },
      { arn: arnOf('x', { region: 'us-east-1' }), aliases: own.aliases },
      { arn: arnOf('x', { owner: '999999999999' }), aliases: own.aliases },
      { arn: arnOf('x', { owner: '999999999999' }), aliases: ['alias/db'] },
    ];
    expect(all.length).toBeGreaterThan(30);
    for (const of of all) {
      for (const action of [
        ...KMS_ACTIONS,
        'kms:DescribeKey',
        'kms:GetKeyPolicy',
        'kms:ListGrants',
      ]) {
        for (const key of strangers) {
          const ask = askKey(action, key);
          expect(allows([of.policy], ask), about(of, ask)).toBe(false);
        }
      }
    }
  });

  it('of a key without an alias may give it the one alias, if that is free, and use it in no way', () => {
    const bare = { arn: arnOf('x') };
    const allowed = new Set<string>();
    for (const of of all) {
      for (const action of KMS_ACTIONS) {
        if (!allows([of.policy], askKey(action, bare))) continue;
        expect(of.role).toBe('setup');
        allowed.add(action);
      }
    }
    expect([...allowed].sort()).toEqual([
      'kms:CreateAlias',
      'kms:EnableKeyRotation',
      'kms:TagResource',
    ]);
    // The alias too has to be allowed, and the tag is the one that setup gives.
    const [setup] = all.filter(({ role }) => role === 'setup');
    if (!setup) expect.unreachable();
    for (const alias of ['alias/credstash', 'alias/db', 'alias/credstash2', 'alias/aws/s3']) {
      const resource = `arn:aws:kms:eu-west-1:${account}:${alias}`;
      for (const action of ['kms:CreateAlias', 'kms:UpdateAlias', 'kms:DeleteAlias']) {
        const isCreated = alias === 'alias/credstash' && action === 'kms:CreateAlias';
        expect(allows([setup.policy], { ...askKey(action, bare), resource })).toBe(isCreated);
      }
    }
    const { keys } = askKey('', bare);
    for (const tags of [
      { 'aws:RequestTag/Name': 'other' },
      { 'aws:TagKeys': ['Name', 'team'], 'aws:RequestTag/team': 'x' },
    ]) {
      const ask = { action: 'kms:TagResource', resource: bare.arn, keys: { ...keys, ...tags } };
      expect(allows([setup.policy], ask)).toBe(false);
    }
  });

  it("does nothing to the policy's key that outlasts the policy, or lets others use it", () => {
    const key = { arn: ownArn, aliases: own.aliases, tags: { Name: 'credstash' } };
    for (const of of all) {
      for (const action of NEVER) {
        const ask = askKey(action, key);
        expect(allows([of.policy], ask), about(of, ask)).toBe(false);
      }
      if (of.role !== 'setup') continue;
      for (const action of KMS_ACTIONS) {
        if (/CreateAlias|EnableKeyRotation/.test(action)) continue;
        expect(allows([of.policy], askKey(action, key)), action).toBe(false);
      }
    }
  });

  it('opens no key but this one by any sequence of requests, with all four policies at once', () => {
    const policies = [
      policyOf('reader', at, {}),
      policyOf('writer', at, {}),
      policyOf('setup', at, {}),
      policyOf('admin', { ...at, key: ownArn }, {}),
    ];
    const aliasArn = (alias: string): string => `arn:aws:kms:eu-west-1:${account}:${alias}`;
    /** The aliases of each key, and their tags. */
    interface World {
      readonly aliases: Readonly<Record<string, string>>;
      readonly tagged: readonly string[];
    }
    const keys = [ownArn, arnOf('db'), arnOf('bare')];
    const start: World = {
      aliases: { 'alias/credstash': ownArn, 'alias/db': arnOf('db') },
      tagged: [],
    };
    const ask = (world: World, action: string, arn: string): boolean =>
      allows(
        policies,
        askKey(action, {
          arn,
          aliases: Object.keys(world.aliases).filter((alias) => world.aliases[alias] === arn),
          tags: world.tagged.includes(arn) ? { Name: 'credstash' } : {},
        }),
      );
    const steps = (world: World): World[] =>
      keys.flatMap((arn) => [
        ...(ask(world, 'kms:TagResource', arn) && !world.tagged.includes(arn)
          ? [{ ...world, tagged: [...world.tagged, arn].sort() }]
          : []),
        ...['alias/credstash', 'alias/db', 'alias/new'].flatMap((alias) => {
          const there = world.aliases[alias];
          // KMS asks for the alias and each key that gains or loses it.
          const may = (action: string, ...arns: string[]): boolean =>
            allows(policies, { ...askKey(action, { arn }), resource: aliasArn(alias) }) &&
            arns.every((each) => ask(world, action, each));
          const moved = { ...world, aliases: { ...world.aliases, [alias]: arn } };
          if (there === undefined) return may('kms:CreateAlias', arn) ? [moved] : [];
          const { [alias]: _, ...others } = world.aliases;
          return [
            ...(there !== arn && may('kms:UpdateAlias', arn, there) ? [moved] : []),
            ...(may('kms:DeleteAlias', there) ? [{ ...world, aliases: others }] : []),
          ];
        }),
      ]);
    const reachable = (from: World): World[] => {
      const seen = new Map([[JSON.stringify(from), from]]);
      for (const world of seen.values()) {
        for (const next of steps(world)) {
          if (!seen.has(JSON.stringify(next))) seen.set(JSON.stringify(next), next);
        }
      }
      return [...seen.values()];
    };
    const opened = (worlds: World[]): string[] =>
      keys.filter((arn) => worlds.some((world) => ask(world, 'kms:Decrypt', arn)));
    expect(opened(reachable(start))).toEqual([ownArn]);
    expect(reachable(start).length).toBeGreaterThan(1);
    // Before there is the alias, whoever sets up chooses the key, but not one that has another alias.
    const before = { ...start, aliases: { 'alias/db': arnOf('db') } };
    expect(opened(reachable(before))).not.toContain(arnOf('db'));
  });

  it("reaches no table but the policy's, and deletes none", () => {
    const table = `arn:aws:dynamodb:eu-west-1:${account}:table/credential-store`;
    const keys = {
      'aws:PrincipalAccount': account,
      'aws:ResourceAccount': account,
      'dynamodb:LeadingKeys': ['app.a'],
    };
    const actions = [
      ...[
        'BatchGetItem',
        'BatchWriteItem',
        'CreateTable',
        'DeleteItem',
        'DescribeTable',
        'GetItem',
      ],
      ...['PartiQLSelect', 'PutItem', 'Query', 'Scan', 'TagResource', 'UpdateItem', 'UpdateTable'],
      ...['UpdateContinuousBackups', 'ConditionCheckItem'],
    ];
    const destructive = [
      ...['DeleteTable', 'DeleteBackup', 'CreateBackup', 'RestoreTableToPointInTime'],
      ...[
        'ExportTableToPointInTime',
        'UpdateTimeToLive',
        'PutResourcePolicy',
        'CreateTableReplica',
      ],
      ...['DeleteResourcePolicy', 'GetRecords', 'EnableKinesisStreamingDestination', 'ImportTable'],
    ];
    const others = [
      table.replace('credential-store', 'other'),
      `${table}-2`,
      `${table}/index/by-name`,
      `${table}/stream/2026`,
      table.replace('eu-west-1', 'us-east-1'),
      ...['999999999999'].map((owner) => table.replace(account, owner)),
      '*',
    ];
    for (const of of all) {
      for (const action of [...actions, ...destructive].map((each) => `dynamodb:${each}`)) {
        for (const resource of others) {
          // Without --account any is meant; whose table that is decides who may use it.
          if (resource.includes('999999999999') && of.options.account === undefined) continue;
          const ask = { action, resource, keys };
          expect(allows([of.policy], ask), about(of, ask)).toBe(false);
        }
      }
      for (const each of destructive) {
        const ask = { action: `dynamodb:${each}`, resource: table, keys };
        expect(allows([of.policy], ask), about(of, ask)).toBe(false);
      }
    }
  });

  it('has no statement for everything, but the one that creates a key, which no policy can name', () => {
    for (const { role, policy } of all) {
      for (const { Sid, Action, Resource, Condition } of policy.Statement) {
        if (Sid === 'NewKeyForAnHour') {
          expect([role, Action, Resource]).toEqual(['setup', ['kms:CreateKey'], '*']);
          expect(Condition).toBeDefined();
          continue;
        }
        for (const action of Action) expect(action).not.toMatch(/[*?]/);
        for (const resource of [Resource].flat()) {
          expect(resource).toMatch(/^arn:aws:(kms|dynamodb|iam):/);
          if (/key\/\*$/.test(resource)) expect(Condition).toBeDefined();
        }
      }
    }
  });
});
