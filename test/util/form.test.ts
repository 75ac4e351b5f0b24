import { expect, it } from 'vitest';
import { recogniseOtherForm } from '../../src/util/form.ts';

/** A class as each form of the library has it, and a subclass. */
function makeForm(name: string): { Base: new () => object; Sub: new () => object } {
  class Base {
    readonly value = 1;
  }
  recogniseOtherForm(Base, name);
  return { Base, Sub: class extends Base {} };
}

const [here, there] = [makeForm('test.Same'), makeForm('test.Same')];

it('an object of the other form is an instance, and one of a subclass too', () => {
  for (const value of [new here.Base(), new there.Base(), new there.Sub()]) {
    expect(value).toBeInstanceOf(here.Base);
  }
});

it('a subclass has its own objects only', () => {
  expect(new here.Sub()).toBeInstanceOf(here.Sub);
  for (const value of [new here.Base(), new there.Base(), new there.Sub()]) {
    expect(value).not.toBeInstanceOf(here.Sub);
  }
});

it('nothing else is an instance', () => {
  const other = new (makeForm('test.Other').Base)();
  for (const value of [other, {}, null, undefined, 'test.Same', Symbol.for('test.Same'), 7]) {
    expect(value instanceof here.Base).toBe(false);
  }
});

it('the brand is not visible among the properties', () => {
  expect(Reflect.ownKeys(new here.Base())).toEqual(['value']);
});
