import { commandLine } from '../../util/shell-word.ts';
import { phraseHint } from './phrase.ts';
import type { GlobalOptions } from '../options/global.ts';

/**
 * A command line for a person to type, on the table or vault that this one's options chose.
 *
 * @param args the command's name and its options
 * @param operands the words after the options: names, which may begin with a dash
 */
export function samePlaceCommand(
  given: GlobalOptions,
  args: readonly string[],
  operands: readonly string[],
): string {
  const dashes = operands.some((operand) => operand.startsWith('-')) ? ['--'] : [];
  return commandLine(['credstash', ...placeOf(given), ...args, ...dashes, ...operands]);
}

/**
 * Advice in the command's words, for the table or vault that this line's options chose. The library's own names a command and no place, because it
 * does not know how its place was said.
 *
 * @param said the first of our commands in it gets the options, unless it names a table already
 */
export function hintInPlace(given: GlobalOptions, said: string): string {
  const hint = phraseHint(said);
  if (/\bcredstash [^;]* -t /.test(hint)) return hint;
  return hint.replace(
    /\bcredstash (setup|migrate|delete|label|policy|doctor)\b/,
    (_, name: string) =>
      // A table is created by its name.
      commandLine(['credstash', ...placeOf(given, { byName: name === 'setup' }), name]),
  );
}

/** The options that choose the table or vault. @param byName a table's name and region, in the place of its ARN */
function placeOf(given: GlobalOptions, { byName = false } = {}): string[] {
  const { kmsRegion, profile, arn, externalId, local } = given;
  let { region, table } = given;
  // arn:aws:dynamodb:REGION:ACCOUNT:table/NAME
  const ofArn = byName ? /^arn:[^:]+:[^:]+:([^:]+):.*\/(.+)$/.exec(table ?? '') : null;
  if (ofArn) [, region, table] = ofArn;
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
