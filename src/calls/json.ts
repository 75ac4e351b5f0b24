import { CredstashError } from '../errors.ts';

/**
 * The JSON text of a value.
 *
 * @throws CredstashError USAGE for a value that JSON cannot hold. Neither its words nor its cause quote the value
 */
export function toJson(value: unknown): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(value);
  } catch {
    // Told below, without the error: it names properties of the value.
  }
  if (json !== undefined) return json;
  throw new CredstashError('USAGE', 'putJson: JSON cannot hold value', {
    hint: 'undefined, functions, BigInt and circular values have no JSON',
  });
}

/** @throws CredstashError USAGE for what is not JSON. Neither its words nor its cause quote the secret */
export function fromJson(name: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // Not kept as the cause, because it quotes the text.
    throw new CredstashError('USAGE', `the secret ${name} is not JSON`, {
      hint: 'getText gives it as text',
    });
  }
}
