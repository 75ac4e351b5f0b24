import { hasCode } from '../errors.ts';

/** Resolves as `got` does, but with undefined if the secret, version, label or field is missing. */
export async function allowMissing<T>(got: Promise<T>): Promise<T | undefined> {
  try {
    return await got;
  } catch (error) {
    if (hasCode(error, 'SECRET_NOT_FOUND', 'VERSION_NOT_FOUND', 'FIELD_NOT_FOUND'))
      return undefined;
    throw error;
  }
}
