import { describe, expect, it } from 'vitest';
import { formatListJson, formatList } from '../../src/format/list.ts';
import { escapeUnseen } from '../../src/format/visible.ts';

const header = { name: 'a', version: '0000000000000000001', cipher: 'AES-256-GCM' };

describe('the listing', () => {
  it('is what the original prints: padded to the longest name, a space where no comment is', () => {
    expect(
      formatList([
        header,
        { ...header, name: 'longer', comment: 'c' },
        { ...header, name: '名前' },
      ]),
    ).toBe(
      [
        'a      -- version 0000000000000000001 -- comment ',
        'longer -- version 0000000000000000001 -- comment c',
        '名前     -- version 0000000000000000001 -- comment ',
        '',
      ].join('\n'),
    );
  });

  it('of nothing is nothing', () => {
    expect(formatList([])).toBe('');
    expect(formatListJson([])).toBe('[]\n');
  });

  it('cannot drive a terminal', () => {
    const evil = { ...header, name: 'a\x1b]0;owned\x07\nb', comment: '\u009b31m\u202egnp.exe' };
    expect(formatList([evil])).toBe(
      'a\\u001b]0;owned\\u0007\\u000ab -- version 0000000000000000001 -- comment \\u009b31m\\u202egnp.exe\n',
    );
    const json = formatListJson([evil]);
    // oxlint-disable-next-line no-control-regex -- what must not be there
    expect(json).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]/);
    expect(JSON.parse(json)).toMatchObject([{ name: evil.name, comment: evil.comment }]);
  });

  it('as JSON has what an entry has', () => {
    const created = '2026-11-23T10:00:00Z';
    expect(
      JSON.parse(formatListJson([header, { ...header, digest: 'SHA512', created, comment: 'c' }])),
    ).toEqual([
      { ...header, digest: 'SHA256' },
      { ...header, digest: 'SHA512', created, comment: 'c' },
    ]);
  });

  it('leaves other text as it is', () => {
    expect(escapeUnseen('pässwörd ✓ 秘密 🔑 "\'\\')).toBe('pässwörd ✓ 秘密 🔑 "\'\\');
  });
});
