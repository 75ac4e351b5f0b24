/** The environment variable of a secret: upper case, `_` for everything outside A-Z 0-9 _, and before a digit. */
export function envName(name: string): string {
  return name
    .toUpperCase()
    .replace(/[^A-Z0-9_]/gu, '_')
    .replace(/^(?=[0-9])/, '_');
}
