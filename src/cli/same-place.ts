import type { Command } from 'commander';
import { commandLine } from '../shell-word.ts';
import { type GlobalOptions, optionsOf } from './settings.ts';

/**
 * A command line for a person to type, on the table or vault that this one's options chose.
 *
 * @param args the command's name and its options
 * @param operands what stands behind the options: names, which may begin with a dash
 */
export function samePlaceCommand(
  command: Command,
  args: readonly string[],
  operands: readonly string[],
): string {
  const { region, kmsRegion, table, profile, arn, local } = optionsOf(command) as GlobalOptions;
  const options = {
    '-r': region,
    '--kms-region': kmsRegion,
    '-t': table,
    '-p': profile,
    '-n': arn,
  };
  const place = Object.entries(options).flatMap(([flag, value]) =>
    value === undefined ? [] : [flag, value],
  );
  if (local !== undefined) place.push(local === '1' ? '--local' : `--local=${local}`);
  const dashes = operands.some((operand) => operand.startsWith('-')) ? ['--'] : [];
  return commandLine(['credstash', ...place, ...args, ...dashes, ...operands]);
}
