import { describe, expect, it } from 'vitest';
import { allows, type Ask, contextKeys } from './iam.ts';

/*
 * Our IAM against the examples and the tables of AWS's documentation:
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
 * https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html
 */

type Condition = Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;

/** Whether a statement with this condition allows a request with these keys. */
function holds(condition: Condition, keys: Ask['keys']): boolean {
  const ask = { action: 'kms:Decrypt', resource: 'arn:aws:kms:us-east-1:111122223333:key/x', keys };
  const [Effect, Action, Resource] = ['Allow', 'kms:Decrypt', '*'] as const;
  return allows([{ Statement: [{ Effect, Action, Resource, Condition: condition }] }], ask);
}

describe('set operators', () => {
  const key = 'dynamodb:Attributes';
  const policy = ['PostDateTime', 'Message', 'Tags'];
  it.each<[string, readonly string[], boolean]>([
    ['ForAllValues:StringLike', ['PostDateTime', 'Message'], true],
    ['ForAllValues:StringLike', ['PostDateTime', 'UserName'], false],
    ['ForAllValues:StringLike', [], true],
    ['ForAnyValue:StringLike', ['PostDateTime', 'UserName'], true],
    ['ForAnyValue:StringLike', ['UserName'], false],
    ['ForAnyValue:StringLike', [], false],
    ['ForAllValues:StringNotEquals', ['ID', 'UserName'], true],
    ['ForAllValues:StringNotEquals', ['ID', 'Tags'], false],
    ['ForAllValues:StringNotEquals', [], true],
    ['ForAnyValue:StringNotEquals', ['ID', 'Tags'], true],
    ['ForAnyValue:StringNotEquals', ['Message', 'Tags'], false],
    ['ForAnyValue:StringNotEquals', [], false],
    ['ForAnyValue:StringEqualsIfExists', [], true],
    ['ForAnyValue:StringEqualsIfExists', ['ID'], false],
  ])('%s of %j: %s', (operator, values, expected) => {
    expect(holds({ [operator]: { [key]: policy } }, { [key]: values })).toBe(expected);
    if (values.length === 0) expect(holds({ [operator]: { [key]: policy } }, {})).toBe(expected);
  });
});

describe('a key that the request lacks', () => {
  it.each<[string, boolean]>([
    ['StringEquals', false],
    ['StringLike', false],
    ['StringEqualsIgnoreCase', false],
    ['StringNotEquals', true],
    ['StringNotLike', true],
    ['StringEqualsIfExists', true],
    ['StringLikeIfExists', true],
    ['StringNotEqualsIfExists', true],
  ])('%s: %s', (operator, expected) => {
    expect(holds({ [operator]: { 'ec2:InstanceType': ['t1.*', 't2.*'] } }, {})).toBe(expected);
  });

  it('is null, and one that it has is not', () => {
    const isNull = { Null: { 'aws:TokenIssueTime': 'true' } };
    const isNotNull = { Null: { 'aws:TokenIssueTime': 'false' } };
    const keys = { 'aws:TokenIssueTime': '2026-01-01T00:00:00Z' };
    expect([holds(isNull, {}), holds(isNull, keys)]).toEqual([true, false]);
    expect([holds(isNotNull, {}), holds(isNotNull, keys)]).toEqual([false, true]);
    expect(holds(isNull, { 'aws:TokenIssueTime': [] })).toBe(true);
  });

  it('makes a ForAllValues hold, and a Null beside it prevents that', () => {
    const all = { 'ForAllValues:StringEquals': { 'aws:TagKeys': ['Environment', 'CostCenter'] } };
    expect(holds(all, {})).toBe(true);
    const both = { ...all, Null: { 'aws:TagKeys': 'false' } };
    expect(holds(both, {})).toBe(false);
    expect(holds(both, { 'aws:TagKeys': ['Environment'] })).toBe(true);
  });
});

describe('strings', () => {
  it.each<[string, string | string[], string, boolean]>([
    ['StringEquals', 'john', 'john', true],
    ['StringEquals', 'john', 'John', false],
    ['StringEqualsIgnoreCase', 'john', 'John', true],
    ['StringNotEqualsIgnoreCase', 'john', 'John', false],
    ['StringEquals', ['a', 'b'], 'b', true],
    ['StringNotEquals', ['a', 'b'], 'b', false],
    ['StringNotEquals', ['a', 'b'], 'c', true],
    ['StringEquals', 'a*', 'ab', false],
    ['StringLike', 'a*', 'ab', true],
    ['StringLike', 'a?', 'a', false],
    ['StringLike', 'a?c', 'abc', true],
    ['StringLike', 'A*', 'ab', false],
    ['StringLike', 'a${*}', 'ab', false],
    ['StringLike', 'a${*}', 'a*', true],
    ['StringLike', '${?}${$}.', '?$.', true],
    ['StringLike', 'a.c', 'abc', false],
    ['StringEquals', '${$}{aws:username}', '${aws:username}', true],
    ['StringEquals', '${aws:username}', 'jane', true],
    ['StringLike', '${aws:username}.*', 'jane.x', true],
  ])('%s %j of %j: %s', (operator, wanted, value, expected) => {
    const keys = { 'test:key': value, 'aws:username': 'jane' };
    expect(holds({ [operator]: { 'test:key': wanted } }, keys)).toBe(expected);
  });
});

describe('names of keys', () => {
  it('are compared without case', () => {
    const keys = { 'aws:SourceIp': 'x' };
    expect(holds({ StringEquals: { 'AWS:SourceIP': 'x' } }, keys)).toBe(true);
    expect(holds({ Null: { 'aws:sourceip': 'true' } }, keys)).toBe(false);
  });

  it('an encryption context is required in any case of its key, unless its keys are asked for', () => {
    const context = { StringEquals: { 'kms:EncryptionContext:AppName': 'ExampleApp' } };
    for (const key of ['AppName', 'Appname', 'APPNAME']) {
      expect(holds(context, contextKeys({ [key]: 'ExampleApp' }))).toBe(true);
      expect(holds(context, contextKeys({ [key]: 'exampleapp' }))).toBe(false);
      const exact = {
        ...context,
        'ForAnyValue:StringEquals': { 'kms:EncryptionContextKeys': 'AppName' },
      };
      expect(holds(exact, contextKeys({ [key]: 'ExampleApp' }))).toBe(key === 'AppName');
    }
    // Other pairs are permitted.
    expect(holds(context, contextKeys({ AppName: 'ExampleApp', Stage: 'x' }))).toBe(true);
  });

  it('an encryption context is these pairs and no others', () => {
    const condition = {
      StringEquals: {
        'kms:EncryptionContext:Department': 'IT',
        'kms:EncryptionContext:Project': 'Alpha',
      },
      'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': ['Department', 'Project'] },
    };
    const both = { Department: 'IT', Project: 'Alpha' };
    expect(holds(condition, contextKeys(both))).toBe(true);
    expect(holds(condition, contextKeys({ ...both, Stage: 'x' }))).toBe(false);
    expect(holds(condition, contextKeys({ Department: 'IT' }))).toBe(false);
    expect(holds(condition, contextKeys({}))).toBe(false);
  });
});

describe('a policy', () => {
  const ask = { action: 'kms:GenerateDataKeyPair', resource: 'arn:x', keys: {} };
  it.each<[string, boolean]>([
    ['kms:GenerateDataKey*', true],
    ['KMS:generatedatakey*', true],
    ['kms:*', true],
    ['*', true],
    ['kms:GenerateDataKey', false],
    ['kms:Generate?', false],
  ])('of %s allows kms:GenerateDataKeyPair: %s', (Action, expected) => {
    const allowing = {
      Statement: [{ Effect: 'Allow', Action: [Action], Resource: 'arn:*' }],
    } as const;
    expect(allows([allowing], ask)).toBe(expected);
    expect(allows([allowing], { ...ask, resource: 'Arn:x' })).toBe(false);
  });

  it('denies whatever another one allows', () => {
    const all = { Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] } as const;
    const none = { Statement: [{ Effect: 'Deny', Action: 'kms:G*', Resource: '*' }] } as const;
    expect(allows([all], ask)).toBe(true);
    expect(allows([all, none], ask)).toBe(false);
    expect(allows([none], { ...ask, action: 'kms:Decrypt' })).toBe(false);
    expect(allows([], ask)).toBe(false);
  });

  it('with an operator that is not known here is not evaluated', () => {
    for (const operator of ['DateLessThan', 'ForSome:StringEquals', 'stringequals', 'Bool']) {
      expect(() => holds({ [operator]: { a: 'x' } }, { a: 'x' })).toThrow('unknown operator');
    }
  });
});
