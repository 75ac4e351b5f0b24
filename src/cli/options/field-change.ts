import { CredstashError } from '../../errors.ts';
import { parseField } from '../../model/field.ts';
import { listGiven } from './given.ts';

/** Checks --field and --unset. @throws CredstashError USAGE */
export function checkFieldChange(
  options: {
    readonly [Name in 'field' | 'version' | 'generate']?: string;
  } & { readonly unset?: readonly string[] } & {
    readonly [Name in 'ifMissing' | 'prompt' | 'literal' | 'allowEmpty']?: true;
  },
  value: string | undefined,
): void {
  const { field, unset } = options;
  for (const each of [...(field === undefined ? [] : [field]), ...(unset ?? [])]) parseField(each);
  if (field !== undefined && unset) {
    throw new CredstashError('USAGE', '--field sets a field and --unset removes one', {
      hint: 'run put once for each',
    });
  }
  const others = listGiven({ '-v': options.version, '--if-missing': options.ifMissing });
  if (others.length > 0) {
    const option = unset ? '--unset' : '--field';
    throw new CredstashError(
      'USAGE',
      `${option} changes the newest version into the next one, so it does not go with ${others.join(', ')}`,
      { hint: `leave out ${others.join(', ')}` },
    );
  }
  if (!unset) return;
  const { prompt, literal, allowEmpty, generate } = options;
  const isValue = value !== undefined && !value.includes('=');
  if (!isValue && !prompt && !literal && !allowEmpty && generate === undefined) return;
  throw new CredstashError('USAGE', '--unset takes no VALUE');
}
