import fc from 'fast-check';

/**
 * Any character that has a UTF-8 form: every code point but the surrogates. The unit 'binary' of fast-check gives the same
 * characters, from a table of all of them that takes each process more than a second to make.
 */
export const anyCharacter = fc.integer({ min: 0, max: 0x10_ffff - 0x800 }).map(
  (index) => String.fromCodePoint(index < 0xd800 ? index : index + 0x800),
  // With the way back, fast-check also tries texts that are known to break programs, such as __proto__.
  (character) => {
    const code = typeof character === 'string' ? (character.codePointAt(0) ?? -1) : -1;
    if (code < 0 || String.fromCodePoint(code) !== character) throw new Error('no character');
    return code < 0xd800 ? code : code - 0x800;
  },
);
