import { toVariableName } from '../../format/env-name.ts';
import { createVariableNamer, type FormatOptions, stripPrefix } from '../../format/pairs.ts';
import type { Secret } from '../../model/entry.ts';
import { describeReserved } from '../../model/variable-names.ts';
import type { Io } from '../terminal/io.ts';

/** The most variables that a warning names. */
const NAMED = 10;

/**
 * Warns of reserved variables in the formats dotenv and k8s, which do not refuse them: dotenv keeps every name, as the original
 * does, and the keys of a Kubernetes Secret are variables only in a pod with `envFrom`.
 */
export function warnOfReserved(
  secrets: readonly Secret[],
  options: FormatOptions & { readonly format?: string | undefined },
  io: Io,
): void {
  const { format, allowName = [] } = options;
  if (format !== 'dotenv' && format !== 'k8s') return;
  const nameOf =
    format === 'k8s'
      ? (name: string) => stripPrefix(name, options.strippedPrefix)
      : createVariableNamer(options);
  const found = secrets
    .map(({ name }) => nameOf(name))
    .filter((variable) => {
      // In k8s, a key such as `user` is the name of a file and not a variable.
      const isVariable = format === 'dotenv' || variable === toVariableName(variable);
      return (
        isVariable && !allowName.includes(variable) && describeReserved(variable) !== undefined
      );
    });
  if (found.length === 0) return;
  const more = found.length > NAMED ? ` and ${found.length - NAMED} more` : '';
  const taker =
    format === 'k8s' ? 'a pod with envFrom' : 'a program whose environment this becomes';
  io.note(
    `credstash: warning: ${taker} lets these variables decide what runs, or who runs it: ${found.slice(0, NAMED).join(', ')}${more}`,
  );
}
