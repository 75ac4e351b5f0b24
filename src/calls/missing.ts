import { hasCode } from '../errors.ts';

/** What `got` gives; undefined if there is no such secret, version or label. */
export async function allowMissing<T>(got: Promise<T>): Promise<T | undefined> {
  try {
    return await got;
  } catch (error) {
    if (hasCode(error, 'SECRET_NOT_FOUND', 'VERSION_NOT_FOUND')) return undefined;
    throw error;
  }
}
