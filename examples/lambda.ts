/*
 * A handler of AWS Lambda. The role of the function needs dynamodb:Query on the table and kms:Decrypt on the key.
 */
import { createHmac } from 'node:crypto';
import { Credstash } from 'credstash-cli';

// Outside of the handler: it lives as long as the execution environment, which is frozen between two events. The cache
// looks at the wall clock too, so a value is not younger for that.
const credstash = new Credstash();
const cache = credstash.createCache({ ttl: 300_000, maxStale: 3_600_000 });

interface Event {
  readonly order: string;
}

interface Context {
  readonly getRemainingTimeInMillis: () => number;
}

export async function handler(event: Event, context: Context): Promise<{ signature: string }> {
  // A second is left to answer in.
  const signal = AbortSignal.timeout(Math.max(0, context.getRemainingTimeInMillis() - 1000));
  const key = await cache.get('orders.signing-key', { signal });
  try {
    return { signature: createHmac('sha256', key).update(event.order).digest('hex') };
  } finally {
    // The caller's own copy.
    key.fill(0);
  }
}
