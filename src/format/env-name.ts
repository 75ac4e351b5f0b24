/**
 * The environment variable of a secret: upper case, `_` for everything outside A-Z 0-9 _, and before a digit.
 *
 * @param prefix put before it unchanged
 */
export function toVariableName(name: string, prefix = ''): string {
  return `${prefix}${name.toUpperCase().replace(/[^A-Z0-9_]/gu, '_')}`.replace(/^(?=[0-9])/, '_');
}
