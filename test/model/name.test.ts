import { describe, expect, it } from 'vitest';
import { checkName } from '../../src/model/name.ts';

describe('the name of a secret [rule 1]', () => {
  it.each(['', 'a\0b', '\ud800', 'x'.repeat(2049), 'ü'.repeat(1025)])('%j is refused', (name) => {
    expect(() => checkName(name)).toThrow(expect.objectContaining({ code: 'USAGE' }) as Error);
  });

  it.each(['a b', 'a/b', '名前', 'x'.repeat(2048), 'a\nb', '*'])('%j is taken', (name) => {
    expect(checkName(name)).toBe(name);
  });
});
