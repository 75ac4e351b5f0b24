/*
 * The library has two forms, ES modules and CommonJS, and a process may load both. Each form has classes of its own. What
 * both must find in an object of the other has a symbol of the global registry, which is the same in both.
 */

/** The class whose objects both forms recognise. */
interface Branded {
  readonly name: string;
  readonly prototype: object;
}

/**
 * Makes `instanceof Class` true for objects of the class of this name in the other form too. Subclasses are not affected.
 *
 * @param name the same in both forms, and in all releases
 */
export function recogniseOtherForm(Class: Branded, name: string): void {
  const brand = Symbol.for(`credstash-cli.${name}`);
  Object.defineProperty(Class.prototype, brand, { value: true });
  Object.defineProperty(Class, Symbol.hasInstance, {
    value(this: unknown, value: unknown): boolean {
      if (this !== Class) return Function.prototype[Symbol.hasInstance].call(this as never, value);
      return typeof value === 'object' && value !== null && brand in value;
    },
  });
}
