/** Pads a version number as a table holds it. Its own definition, so that the tests also check the padding of `src`. */
export function v(version: number): string {
  return String(version).padStart(19, '0');
}
