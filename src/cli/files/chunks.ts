/** A write to the system for each of 10,000 short secrets would take longer than to format them. */
const LEAST_LENGTH = 65_536;

/** Encodes pieces of an output as UTF-8, several short ones together. */
export function* toChunks(pieces: Iterable<string>): Generator<Uint8Array> {
  let text = '';
  for (const piece of pieces) {
    text += piece;
    if (text.length < LEAST_LENGTH) continue;
    yield Buffer.from(text);
    text = '';
  }
  if (text !== '') yield Buffer.from(text);
}

/** Gives the same chunks, and wipes each once the next one is asked for, or none any more. */
export function* wipeEach(chunks: Iterable<Uint8Array>): Generator<Uint8Array> {
  for (const chunk of chunks) {
    try {
      yield chunk;
    } finally {
      chunk.fill(0);
    }
  }
}
