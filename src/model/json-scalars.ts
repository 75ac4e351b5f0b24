import { CredstashError } from '../errors.ts';
import { formatField, formatPointer } from './field.ts';
import {
  type JsonDocument,
  type JsonMember,
  type JsonValue,
  parseDocument,
  readValue,
} from './json-document.ts';

/** A string, number, boolean or null in a secret that is JSON. */
export interface Scalar {
  /** As `get` gives the field. */
  readonly bytes: Uint8Array;
  /** Makes the field, as `get` takes it. It is not made ahead, because it is long for a value far down. */
  readonly makeField: () => string;
}

/** Yields the scalars of a secret, at any depth and in their order; nothing of a secret that is not a JSON object or array. */
export function* listScalars(secret: Uint8Array): Generator<Scalar> {
  const document = ignoreError(() =>
    mayHaveFields(secret) ? parseDocument('', secret) : undefined,
  );
  if (!document) return;
  for (const reached of walk(document.root)) {
    // A string with half of a surrogate pair has no bytes.
    const bytes = ignoreError(() => readValue(document, reached.value));
    if (bytes) yield { bytes, makeField: () => nameReached(document, reached) };
  }
}

/** Whether the first character that is not white space begins an object or an array. Spares the others a parse that fails. */
function mayHaveFields(secret: Uint8Array): boolean {
  const first = secret.find((byte) => !WHITE_SPACE.includes(byte));
  return first === OPENING_BRACE || first === OPENING_BRACKET;
}

const WHITE_SPACE = [0x20, 0x09, 0x0d, 0x0a];
const OPENING_BRACE = 0x7b;
const OPENING_BRACKET = 0x5b;

/** A value, and the way to it: from the last step back to the first. */
interface Reached {
  readonly value: JsonValue;
  readonly step: string;
  /** Absent for the root. */
  readonly above?: Reached;
}

/** Yields the scalars below a value. It takes no stack for nested ones. */
function* walk(root: JsonValue): Generator<Reached> {
  const waiting: Reached[] = [{ value: root, step: '' }];
  for (let reached = waiting.pop(); reached; reached = waiting.pop()) {
    const { kind, members } = reached.value;
    if (kind !== 'object' && kind !== 'array') yield reached;
    // Backwards, because pop takes the last member first.
    for (let i = members.length - 1; i >= 0; i--) {
      const { key, value } = members[i] as JsonMember;
      waiting.push({ value, step: kind === 'array' ? String(i) : key, above: reached });
    }
  }
}

function nameReached({ root }: JsonDocument, reached: Reached): string {
  const steps: string[] = [];
  for (let each = reached; each.above; each = each.above) steps.push(each.step);
  const [step = ''] = steps;
  return root.kind === 'object' && steps.length === 1
    ? formatField(step)
    : formatPointer(steps.reverse());
}

function ignoreError<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof CredstashError) return undefined;
    throw error;
  }
}
