import type { Secret } from '../model/entry.ts';
import { CredstashError } from '../errors.ts';
import { type FormatOptions, stripPrefix, toVariables } from './pairs.ts';
import { toPieces } from './pieces.ts';
import { formatScalar } from './yaml.ts';

/** The limit of a name and of a key: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ */
const MAX_NAME_LENGTH = 253;

/** The limit of all values of a Secret together: https://kubernetes.io/docs/concepts/configuration/secret/ */
const MAX_SECRET_BYTES = 1_048_576;

/**
 * Formats the manifest of a Kubernetes Secret, in YAML. Its keys are the names of the secrets, without
 * `options.strippedPrefix`. Its values are in base64, so
 * that a secret can have any bytes.
 *
 * @param options.k8sName the name of the Secret; default: `credstash`
 * @throws CredstashError USAGE for an invalid name of the Secret, or naming each secret whose name cannot be a key; TOO_LARGE
 *   over 1 MiB
 */
export function formatK8s(
  secrets: readonly Secret[],
  options: FormatOptions = {},
): Iterable<string> {
  const data = toVariables('k8s', secrets, {
    rename: (name) => stripPrefix(name, options.strippedPrefix),
    refuse: (key) =>
      key.length <= MAX_NAME_LENGTH && /^(?!\.$|\.\.)[-._a-zA-Z0-9]+$/.test(key)
        ? undefined
        : `a key of Kubernetes has up to ${MAX_NAME_LENGTH} of A-Z a-z 0-9 - _ . and does not begin with ..`,
  });
  const size = secrets.reduce((sum, { value }) => sum + value.length, 0);
  if (size > MAX_SECRET_BYTES) {
    throw new CredstashError(
      'TOO_LARGE',
      `the secrets have ${size} bytes, and a Secret of Kubernetes holds ${MAX_SECRET_BYTES} (1 MiB)`,
      { hint: 'choose fewer with `get("GLOB", { format: "k8s" })`' },
    );
  }
  const before = `apiVersion: v1
kind: Secret
metadata:
  name: ${formatScalar(checkK8sName(options.k8sName ?? 'credstash'))}
type: Opaque
data:${data.length === 0 ? ' {}' : ''}
`;
  return toPieces(
    data,
    ({ name, value }) =>
      `  ${formatScalar(name)}: ${formatScalar(Buffer.from(value).toString('base64'))}\n`,
    { before },
  );
}

/**
 * Checks the name of a Secret, a DNS subdomain (RFC 1123, section 2.1) as Kubernetes has it: in lower case.
 *
 * @param option the source of the name, for the error
 * @throws CredstashError USAGE
 */
export function checkK8sName(name: string, option = 'the option k8sName'): string {
  const label = '[a-z0-9](?:[-a-z0-9]*[a-z0-9])?';
  if (name.length <= MAX_NAME_LENGTH && RegExp(`^${label}(?:\\.${label})*$`).test(name))
    return name;
  throw new CredstashError('USAGE', `no Secret of Kubernetes can have the name of ${option}`, {
    hint: `it has up to ${MAX_NAME_LENGTH} of a-z 0-9 - . and begins and ends, as each part between dots, with a letter or digit`,
  });
}
