import { type Command, Option } from 'commander';
import type { Credstash, GetAllOptions } from '../credstash.ts';
import { SECRET_FORMATS } from '../format/index.ts';
import type { Io } from './io.ts';

/** What the commands that print several secrets have in common. */
export interface SecretsOptions {
  readonly version?: string;
  readonly format?: string;
  readonly rawNames?: true;
  readonly skipUndecryptable?: true;
}

export function addSecretsOptions(command: Command): Command {
  return command
    .addOption(
      new Option('-f, --format <format>', 'format of several secrets (default: json)').choices(
        Object.keys(SECRET_FORMATS),
      ),
    )
    .option('--raw-names', 'in dotenv: names as they are, not as an environment takes them')
    .option('--skip-undecryptable', 'leave out secrets that do not open, and list them on stderr');
}

/** Several secrets in the format that was asked for, with those that were left out told on stderr. */
export async function formatSecrets(
  credstash: Credstash,
  io: Io,
  options: SecretsOptions & GetAllOptions,
): Promise<string> {
  const progress = io.progress('secrets opened');
  const { secrets, leftOut } = await credstash.getAll({ ...options, progress });
  const format = SECRET_FORMATS[options.format ?? 'json'];
  const text = format?.(secrets, options) ?? '';
  for (const { name, error } of leftOut) {
    io.note(`credstash: warning: ${name} is left out: ${error.message}`);
  }
  return text;
}
