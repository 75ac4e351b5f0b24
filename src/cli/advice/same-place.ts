import { commandLine } from '../../util/shell-word.ts';
import { phraseHint } from './phrase.ts';
import type { GlobalOptions } from '../options/global.ts';

/**
 * Makes a command line for a person to type, on the same table or vault as the current command line.
 *
 * @param args the command's name and its options
 * @param operands the words after the options. A name may begin with a dash.
 */
export function samePlaceCommand(
  options: GlobalOptions,
  args: readonly string[],
  operands: readonly string[],
): string {
  const dashes = operands.some((operand) => operand.startsWith('-')) ? ['--'] : [];
  return commandLine(['credstash', ...placeOf(options), ...args, ...dashes, ...operands]);
}

/**
 * Rewrites a hint of the library as a command on the same table or vault as the current command line. The library does not know
 * the options of the command line.
 *
 * @param libraryHint its first command gets the options, unless it names a table already
 */
export function hintInPlace(options: GlobalOptions, libraryHint: string): string {
  const hint = phraseHint(libraryHint);
  if (/\bcredstash [^;]*(?: -t |--local=)/.test(hint)) return hint;
  return hint.replace(
    /\bcredstash (setup|migrate|delete|label|policy|doctor|list|history)\b/,
    (_, name: string) =>
      // A table is created by its name.
      commandLine(['credstash', ...placeOf(options, { byName: name === 'setup' }), name]),
  );
}

/** Lists the options that choose the table or vault. @param byName whether to write a table's ARN as its name and region */
function placeOf(chosen: GlobalOptions, { byName = false } = {}): string[] {
  const { kmsRegion, profile, arn, externalId, local } = chosen;
  let { region, table } = chosen;
  // arn:aws:dynamodb:REGION:ACCOUNT:table/NAME
  const match = byName ? /^arn:[^:]+:[^:]+:([^:]+):.*\/(.+)$/.exec(table ?? '') : null;
  if (match) [, region, table] = match;
  const options = {
    '-r': region,
    '--kms-region': kmsRegion,
    '-t': table,
    '-p': profile,
    '-n': arn,
    '--external-id': externalId,
  };
  const place = Object.entries(options).flatMap(([flag, value]) =>
    value === undefined ? [] : [flag, value],
  );
  if (local !== undefined) place.push(local === '1' ? '--local' : `--local=${local}`);
  return place;
}
