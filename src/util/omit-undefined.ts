/** Drops undefined properties, so that spreading them cannot overwrite a default. */
export function omitUndefined<T extends object>(options: T): T {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as T;
}
