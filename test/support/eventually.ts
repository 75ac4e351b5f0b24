import { vi } from 'vitest';

/**
 * Calls `check` again and again until it throws nothing, and returns what it returns. It gives up after two minutes, with
 * what it threw last: Vitest's own second is too short for a busy machine.
 */
export function eventually<T>(check: () => T | Promise<T>, interval = 20): Promise<T> {
  return vi.waitFor(check, { timeout: 120_000, interval });
}
