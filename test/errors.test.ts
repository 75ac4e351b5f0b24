import { describe, expect, it } from 'vitest';
import { CredstashError, type ErrorCode, hasCode } from '../src/errors.ts';

/** As the design has them: a script may depend on each. The type holds it to every code there is. */
const statuses: Readonly<Record<ErrorCode, number>> = {
  UNEXPECTED: 1,
  IO: 1,
  EDITOR_FAILED: 1,
  USAGE: 2,
  TOO_LARGE: 2,
  VERSION_NOT_NUMERIC: 2,
  SECRET_NOT_FOUND: 3,
  VERSION_NOT_FOUND: 3,
  FIELD_NOT_FOUND: 3,
  TABLE_NOT_FOUND: 3,
  VAULT_NOT_FOUND: 3,
  VERSION_EXISTS: 4,
  CONFLICT: 4,
  INTEGRITY: 5,
  ENTRY_NOT_TRUSTED: 5,
  NO_CREDENTIALS: 6,
  CREDENTIALS_REFUSED: 6,
  ACCESS_DENIED: 6,
  KEY_NOT_FOUND: 6,
  KEY_UNUSABLE: 6,
  KEY_NOT_TRUSTED: 6,
  WRONG_CONTEXT: 6,
  VAULT_PERMISSIONS: 6,
  VAULT_KEY_MISMATCH: 6,
  THROTTLED: 7,
  UNREACHABLE: 7,
  TIMEOUT: 7,
  COMMAND_NOT_EXECUTABLE: 126,
  COMMAND_NOT_FOUND: 127,
  INTERRUPTED: 130,
};

describe('an error', () => {
  it.each(Object.entries(statuses) as [ErrorCode, number][])(
    'of the code %s ends the command with %d [compat 44]',
    (code, status) => {
      expect(new CredstashError(code, 'what failed').exitStatus).toBe(status);
    },
  );

  it('is an Error with its name, its message, its hint and its cause', () => {
    const cause = new Error('why');
    const error = new CredstashError('IO', 'what failed', { hint: 'what to do', cause });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: 'CredstashError', code: 'IO', hint: 'what to do' });
    expect(error.message).toBe('what failed');
    expect(error.cause).toBe(cause);
    expect(error.stack).toContain('what failed');
  });

  it('has no cause and no hint where none was given', () => {
    const error = new CredstashError('IO', 'what failed');
    expect('cause' in error).toBe(false);
    expect(error.hint).toBeUndefined();
  });
});

describe('the test for a code', () => {
  const error = new CredstashError('CONFLICT', 'what failed');

  it('is true for one of the codes asked for', () => {
    expect(hasCode(error, 'CONFLICT')).toBe(true);
    expect(hasCode(error, 'IO', 'CONFLICT')).toBe(true);
  });

  it('is false for another code, for none, and for what only looks alike', () => {
    expect(hasCode(error, 'IO')).toBe(false);
    expect(hasCode(error)).toBe(false);
    for (const other of [{ code: 'CONFLICT' }, new Error('CONFLICT'), undefined, null, 'CONFLICT'])
      expect(hasCode(other, 'CONFLICT')).toBe(false);
  });
});
