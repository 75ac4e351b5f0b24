import { CredstashError } from '../../errors.ts';
import { listGiven } from './given.ts';

/** A pair of an encryption context, in all likelihood: base64, which may end in `=`, is none. */
export const LIKE_A_PAIR = /^[\p{L}_][\p{L}\p{N}_.:-]*=(?!=*$)/u;

/** The options of put for a value. */
interface SourceOptions {
  readonly prompt?: true;
  readonly literal?: true;
  readonly allowEmpty?: true;
  readonly generate?: string;
  readonly charset?: string;
}

/** Checks that --generate is the only source of the value. @throws CredstashError USAGE */
export function checkSource(options: SourceOptions, value: string | undefined): void {
  const { generate, charset, prompt, literal, allowEmpty } = options;
  if (generate === undefined) {
    if (charset === undefined) return;
    throw new CredstashError('USAGE', '--charset is for --generate', { hint: 'add --generate' });
  }
  const others = listGiven({ '-P': prompt, '--literal': literal, '--allow-empty': allowEmpty });
  if (others.length > 0) {
    throw new CredstashError('USAGE', `--generate does not go with ${others.join(', ')}`, {
      hint: `leave out ${others.join(', ')}, or --generate`,
    });
  }
  // Base64 may end in =, and a key of the context is not secret.
  if (value === undefined || (LIKE_A_PAIR.test(value) && !/=$/.test(value))) return;
  throw new CredstashError('USAGE', '--generate makes the value, so no VALUE can be given', {
    hint: 'leave out VALUE; a length is --generate=LENGTH',
  });
}

/** @throws CredstashError USAGE for options that --if-missing leaves nothing to do */
export function checkIfMissing(options: {
  readonly version?: string;
  readonly autoversion?: true;
  readonly label?: string;
}): void {
  const { version, autoversion, label } = options;
  const others = listGiven({ '-v': version, '-a': autoversion, '--label': label });
  if (others.length === 0) return;
  const hint =
    others.join() === '--label'
      ? 'leave out --label, and move the label with credstash label'
      : `leave out ${others.join(', ')}, or --if-missing`;
  throw new CredstashError(
    'USAGE',
    `--if-missing stores version 1 or nothing, so it does not go with ${others.join(', ')}`,
    { hint },
  );
}

/** Generates the value that --generate asks for. Its code is loaded only then. */
export async function generateSecret({ generate, charset }: SourceOptions): Promise<{
  readonly secret?: Uint8Array;
  readonly weakness?: string | undefined;
}> {
  if (generate === undefined) return {};
  const { describeWeakness, generateValue, parseGenerate } = await import('./random-value.ts');
  const request = parseGenerate(generate, charset);
  return { secret: generateValue(request), weakness: describeWeakness(request) };
}
