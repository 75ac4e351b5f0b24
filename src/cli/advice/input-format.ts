import { existsSync } from 'node:fs';
import { CredstashError } from '../../errors.ts';
import { type InputFormat, parseSecrets } from '../../format/parse.ts';
import { decodeUtf8 } from '../../util/utf8.ts';
import { commandLine } from '../../util/shell-word.ts';
import { INPUT_FORMATS } from '../options/input-format.ts';

/** The input of putall that was refused. */
interface RefusedInput {
  readonly input: Uint8Array;
  /** SECRETS as given. */
  readonly argument: string;
  readonly format: InputFormat | undefined;
  /** Whether the format was not given with --from. */
  readonly isGuessed: boolean;
}

/** How a file looks whose @ was forgotten. */
const FILE_NAME = /^(?![\s{}:"'@-])[^\s{}"']*\.(?:json|ya?ml|env)$/i;

/** Adds the hint to write @ before the name of a file, or the --from with which the input can be read. */
export async function adviseOnInput(error: unknown, refused: RefusedInput): Promise<unknown> {
  if (!(error instanceof CredstashError)) return error;
  const { argument, format, isGuessed } = refused;
  const isFile = !/^(?:-$|@)/.test(argument) && existsSync(argument);
  if (isFile || FILE_NAME.test(argument)) {
    // Text that is not the name of a file may be a secret.
    const word = isFile ? commandLine([`@${argument}`]) : '@FILE';
    const hint = `write @ before the name of a file: credstash putall ${word}`;
    return error.reworded(error.message, hint);
  }
  const others = await findReadableFormats(refused);
  if (others.length === 0) return error;
  const why = isGuessed && format !== undefined ? `the name of the file says ${format}; ` : '';
  const advice = `${why}${others.map((each) => `--from ${each}`).join(' or ')} reads it`;
  return error.reworded(error.message, [error.hint ?? [], advice].flat().join('; '));
}

/** Finds the formats that the input has. dotenv also reads lines of broken YAML, so it counts only if a = comes first. */
async function findReadableFormats({ input, format }: RefusedInput): Promise<InputFormat[]> {
  const found: InputFormat[] = [];
  for (const each of INPUT_FORMATS) {
    if (each === format || (each === 'dotenv' && !beginsWithVariable(input))) continue;
    const secrets = await parseSecrets(input, each).catch(() => []);
    if (secrets.length > 0) found.push(each);
    for (const { value } of secrets) value.fill(0);
  }
  return found;
}

function beginsWithVariable(input: Uint8Array): boolean {
  return /^\ufeff?(?:\s*#.*\n)*\s*(?:export\s+)?[\w.-]+\s*=/.test(decodeUtf8(input) ?? '');
}
