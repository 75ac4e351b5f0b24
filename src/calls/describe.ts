/** What a value is, without a word of the value itself: it may be a secret. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Number.isNaN(value)) return 'NaN';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object') return `a ${typeof value}`;
  if (isBytes(value)) return isDetached(value) ? 'bytes that were transferred away' : 'bytes';
  if (isPromise(value)) return 'a promise';
  const name: unknown = (value.constructor as { name?: unknown } | undefined)?.name;
  if (typeof name !== 'string' || !/^[A-Z]\w{0,40}$/.test(name) || name === 'Object') {
    return 'an object';
  }
  return `${/^[AEIOU]/.test(name) ? 'an' : 'a'} ${name}`;
}

export function isBytes(value: unknown): value is Uint8Array {
  return (
    ArrayBuffer.isView(value) && Object.prototype.toString.call(value) === '[object Uint8Array]'
  );
}

/** Whether the bytes have moved to another thread: nothing of them is left here. */
export function isDetached({ buffer }: Uint8Array): boolean {
  try {
    return new Uint8Array(buffer).length !== buffer.byteLength;
  } catch {
    return true;
  }
}

export function isPromise(value: object): boolean {
  return typeof (value as { then?: unknown }).then === 'function';
}

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
