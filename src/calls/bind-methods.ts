/**
 * Binds the methods of `instance` to it, so that they work when they are taken off it: `const { get } = credstash`. A method that a
 * subclass has in the place of another is bound too.
 */
export function bindMethods(instance: object): void {
  for (let at: unknown = Object.getPrototypeOf(instance); isPrototype(at);) {
    for (const name of Object.getOwnPropertyNames(at)) {
      if (name !== 'constructor') bindMethod(instance, name);
    }
    at = Object.getPrototypeOf(at);
  }
}

function isPrototype(value: unknown): value is object {
  return typeof value === 'object' && value !== null && value !== Object.prototype;
}

function bindMethod(instance: object, name: string): void {
  if (Object.hasOwn(instance, name)) return;
  const method: unknown = (instance as Record<string, unknown>)[name];
  if (typeof method !== 'function') return;
  // As a method is: not enumerated, and replaceable, as by the spies of a test.
  Object.defineProperty(instance, name, {
    value: method.bind(instance) as unknown,
    configurable: true,
    writable: true,
  });
}
