import { describe, expect, it } from 'vitest';
import { translate } from '../../src/backend/aws/errors.ts';
import { CredstashError, ServiceCause } from '../../src/errors.ts';

const where = { service: 'KMS', action: 'kms:Decrypt', region: 'eu-west-1' };
/** An error of the SDK, which holds the answer. */
const ofSdk = (name: string, httpStatusCode: number): Error =>
  Object.assign(new Error('canary'), {
    name,
    $metadata: { httpStatusCode, requestId: '8a1f6a2e-0c1d-4f5e-9d67-1c1f2f3a4b5c', attempts: 3 },
    $response: { body: 'canary' },
    Plaintext: 'canary',
  });

describe('the cause of an error of a service', () => {
  it('has what the service said, and no more', () => {
    const error = translate(ofSdk('ThrottlingException', 400), where);
    expect(error.retryable).toBe(true);
    expect(error.cause).toBeInstanceOf(ServiceCause);
    expect(error.cause).toMatchObject({
      name: 'ThrottlingException',
      httpStatus: 400,
      requestId: '8a1f6a2e-0c1d-4f5e-9d67-1c1f2f3a4b5c',
      attempts: 3,
    });
    expect(JSON.stringify(Object.entries(error.cause as object))).not.toContain('canary');
  });

  it('has the code of the system, if there was no answer', () => {
    const down = Object.assign(new Error('canary'), {
      code: 'ECONNREFUSED',
      $metadata: { attempts: 3 },
    });
    const error = translate(down, where);
    expect(error.cause).toMatchObject({ code: 'ECONNREFUSED', attempts: 3 });
    expect(error.cause).not.toHaveProperty('httpStatus');
    const untrusted = Object.assign(new Error('x'), { code: 'CERT_HAS_EXPIRED' });
    expect(translate(untrusted, where)).toMatchObject({ code: 'UNREACHABLE', retryable: false });
  });

  it('repeats no request id that can be none', () => {
    const odd = Object.assign(new Error(), {
      name: 'X',
      $metadata: { httpStatusCode: 400, requestId: 'canary value', attempts: 'canary' },
    });
    const { cause } = translate(odd, where);
    expect(cause).not.toHaveProperty('requestId');
    expect(cause).not.toHaveProperty('attempts');
  });
});

describe('toJSON', () => {
  it('has the message, the code, the hint and the facts, and neither stack nor secret', () => {
    const error = translate(ofSdk('AccessDeniedException', 400), where);
    const failed = new CredstashError('ACCESS_DENIED', '1 of 2', {
      failures: [{ name: 'n', error }],
    });
    expect(JSON.parse(JSON.stringify(failed))).toEqual({
      name: 'CredstashError',
      code: 'ACCESS_DENIED',
      message: '1 of 2',
      retryable: false,
      failures: [
        {
          name: 'n',
          error: {
            name: 'CredstashError',
            code: 'ACCESS_DENIED',
            message: 'access denied: kms:Decrypt on eu-west-1',
            retryable: false,
            serviceMessage: 'canary',
            cause: {
              name: 'AccessDeniedException',
              httpStatus: 400,
              requestId: '8a1f6a2e-0c1d-4f5e-9d67-1c1f2f3a4b5c',
              attempts: 3,
            },
          },
        },
      ],
    });
  });

  it('leaves out a cause of another kind, whose words nobody knows', () => {
    const cause = new Error('canary');
    const error = new CredstashError('NO_CREDENTIALS', 'none', { cause });
    expect(JSON.stringify(error)).not.toContain('canary');
    expect(error.reworded('other')).toMatchObject({ cause, retryable: false });
    expect('cause' in new CredstashError('USAGE', 'x').reworded('y')).toBe(false);
  });

  it('a failure of many is retryable only if each is', () => {
    const [down, denied] = [
      new CredstashError('UNREACHABLE', 'down'),
      new CredstashError('ACCESS_DENIED', 'denied'),
    ];
    const of = (...errors: CredstashError[]): CredstashError =>
      new CredstashError('UNREACHABLE', 'x', {
        failures: errors.map((error) => ({ name: 'n', error })),
      });
    expect([of(down).retryable, of(down, denied).retryable]).toEqual([true, false]);
  });
});
