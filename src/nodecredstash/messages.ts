import { CredstashError } from '../errors.ts';

/*
 * The texts of nodecredstash's errors. Its users compare them, because most of its errors have no code.
 */

/** The arguments of a call that the text of its error may quote. */
export interface Call {
  readonly name?: unknown;
  /** In the stored form; of incrementVersion, the newest. */
  version?: string | undefined;
  readonly context?: unknown;
  /** The master key, if the call stores a secret. */
  readonly kmsKey?: string | undefined;
}

/** Puts nodecredstash's text before the message of an error, if nodecredstash has a text for it. */
export function addTheirText(error: unknown, call: Call): unknown {
  if (!(error instanceof CredstashError)) return error;
  const text = findTheirText(error, call);
  return text === undefined ? error : error.reworded(`${text} (${error.message})`);
}

function findTheirText({ code, message }: CredstashError, call: Call): string | undefined {
  const name = String(call.name);
  switch (code as string) {
    case 'VERSION_EXISTS':
      return `${name} version ${call.version ?? ''} is already in the credential store.`;
    case 'SECRET_NOT_FOUND':
    case 'VERSION_NOT_FOUND':
      return notFound(name);
    case 'VERSION_NOT_NUMERIC':
      // nodecredstash counts on from every number. It has no text for the number whose successor would sort before it.
      return isNumber(call.version)
        ? undefined
        : `Can not autoincrement version. The current version: ${call.version ?? ''} is not an int`;
    case 'INTEGRITY':
      // A failure of getAllSecrets is not about one name, and nodecredstash has no text for it.
      if (call.name === undefined) return undefined;
      if (message.endsWith(' its attribute key is missing')) return notFound(name);
      // nodecredstash accepts any entry that the table answers with, and has no text for this either.
      if (message.includes(' answered with another entry than one of ')) return undefined;
      return `Computed HMAC on ${name} does not match stored HMAC`;
    case 'WRONG_CONTEXT':
      return `Could not decrypt hmac key with KMS. ${
        Object.keys(Object(call.context) as object).length === 0
          ? 'The credential may require that an encryption context be provided to decrypt it.'
          : 'The encryption context provided may not match the one used when the credential was stored.'
      }`;
    case 'TOO_LARGE':
    case 'TABLE_NOT_FOUND':
    case 'NO_CREDENTIALS':
      return undefined;
    // A request to KMS that could not be made is USAGE too: a wrong setting of AWS.
    case 'USAGE':
    default:
      if (!(code === 'USAGE' ? /\bno request to KMS\b/ : /\bKMS\b/).test(message)) return undefined;
      return call.kmsKey === undefined
        ? 'Decryption error'
        : `Could not generate key using KMS key ${call.kmsKey}`;
  }
}

function notFound(name: string): string {
  return `Item {'name': '${name}'} could not be found.`;
}

function isNumber(version: string | undefined): boolean {
  return /^[0-9]+$/.test(version ?? '');
}
