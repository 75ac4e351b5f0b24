import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkContext } from '../src/context.ts';
import { hasCode } from '../src/errors.ts';
import { matches } from '../src/name.ts';
import { policyOf, type PolicyOptions, type PolicyPlace, type Role, ROLES } from '../src/policy.ts';
import { allows } from './support/iam.ts';

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
    for (const { Resource } of statements('admin', { region, kmsRegion: region })) {
      for (const each of [Resource].flat()) {
        if (each !== '*') expect(each.split(':')[1]).toBe(partition);
      }
    }
  });

  it('takes a table that is named by its ARN as it is', () => {
    const table = `arn:aws:dynamodb:us-east-2:${account}:table/t`;
    expect(statements('reader', { table })[0]).toMatchObject({ Resource: table });
  });

  it('of an admin has what creates a key only where the key is named by an alias, and no names are asked for', () => {
    const sids = (...args: Parameters<typeof statements>): string[] =>
      statements(...args).map(({ Sid }) => Sid);
    const all =
      'Entries DataKeys Table Key NewKey NewKeyTags NewKeyRotation Alias MultiRegionKeys Caller';
    expect(sids('admin').join(' ')).toBe(all);
    expect(sids('admin', { key: keyArn })).toEqual([
      'Entries',
      'DataKeys',
      'Table',
      'Key',
      'Caller',
    ]);
    expect(sids('admin', {}, { name: 'a' })).toEqual(['Entries', 'DataKeys']);
  });

  it('by name has no Scan, whatever the role', () => {
    for (const role of ROLES) {
      expect(JSON.stringify(statements(role, {}, { name: '*' }))).not.toContain('Scan');
    }
  });

  it('has only what makes an identifier in a Sid, and no Sid twice', () => {
    const sids = statements('admin').map(({ Sid }) => Sid);
    expect(new Set(sids).size).toBe(sids.length);
    for (const sid of sids) expect(sid).toMatch(/^[A-Za-z0-9]+$/);
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
            'kms:EncryptionContext:credstash:name': secret,
          },
        };
        expect(allows([policy], ask)).toBe(matches(name, secret));
        expect(allows([policy], open)).toBe(matches(name, secret));
      }),
      { numRuns: 2000 },
    );
  });

  it('by name allows no request that names no secret', () => {
    const policy = policyOf('admin', place, { name: 'a*', account });
    const resource = `arn:aws:dynamodb:eu-west-1:${account}:table/credential-store`;
    for (const action of ['Query', 'GetItem', 'PutItem', 'Scan']) {
      expect(allows([policy], { action: `dynamodb:${action}`, resource, keys: {} })).toBe(false);
    }
    const all = { 'dynamodb:LeadingKeys': ['ab', 'b'] };
    expect(allows([policy], { action: 'dynamodb:Query', resource, keys: all })).toBe(false);
  });
});
