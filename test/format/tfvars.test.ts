import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText, numbered, refusal, secrets, textFrom } from './secrets.ts';
import { formatTfvars } from '../support/formats.ts';

const meaningful = textFrom('"\\/\n\r\t\0${}%~é秘😀\u2028a', '${', '%{', '$${');
const held = fc.oneof(meaningful, anyText).map((text) => text.normalize('NFC'));

// There is no Terraform on the machines of the tests. It reads the file as JSON, each text as it stands.
describe('tfvars', () => {
  it('is a JSON object of names that Terraform takes', () => {
    const values = {
      'db.password': '${x}',
      'db-user': '%{ a }"\\',
      '9lives': '',
      '-a': 'ü',
      Ab_1: '1',
    };
    expect(formatTfvars(secrets(values))).toBe(
      String.raw`{
    "_-a": "\u00fc",
    "_9lives": "",
    "Ab_1": "1",
    "db-user": "%{ a }\"\\",
    "db_password": "${'${x}'}"
}
`,
    );
    expect(formatTfvars([])).toBe('{}\n');
  });

  it('is read back as the same values', () => {
    fc.assert(
      fc.property(fc.array(held), (values) => {
        expect(JSON.parse(formatTfvars(numbered(values)))).toEqual(
          Object.fromEntries(values.map((value, i) => [`k${i}`, value])),
        );
      }),
      { numRuns: 500 },
    );
  });

  it('of any name is one that Terraform takes, or reserved', async () => {
    fc.assert(
      fc.property(anyText, (name) => {
        fc.pre(name !== '');
        const [variable = ''] = Object.keys(
          JSON.parse(formatTfvars(secrets([[name, 'x']]))) as object,
        );
        expect(variable).toMatch(/^[A-Za-z_][A-Za-z0-9_-]*$/);
      }),
    );
    const reserved = 'source version providers count for_each lifecycle depends_on locals'.split(
      ' ',
    );
    const reasons = await refusal(() =>
      formatTfvars(secrets(reserved.map((name) => [name.replace('_', '.'), 'zQ7'] as const))),
    );
    expect(reasons.slice(1).sort()).toEqual(
      reserved
        .map((name) => `${name.replace('_', '.')}: Terraform keeps the name ${name} for itself`)
        .sort(),
    );
  });

  it('names each secret that it cannot hold', async () => {
    const values = { 'a.b': 'zQ7', a_b: 'zQ7', nfd: 'zQ7e\u0301' };
    expect(await refusal(() => formatTfvars(secrets(values)))).toEqual([
      'tfvars cannot hold 2 of the secrets',
      'a_b: its variable would be a_b, as that of a.b',
      'nfd: Terraform would change its value, which is not in the normal form NFC of Unicode',
    ]);
    const broken = secrets({ b: Buffer.from('zQ7\xff', 'latin1') });
    expect(await refusal(() => formatTfvars(broken))).toEqual([
      'tfvars cannot hold 1 of the secrets',
      'b: it is not UTF-8 text',
    ]);
  });

  it('has the names themselves with rawNames, or refuses them', async () => {
    const names = ['a', 'A-b', '_x', 'größe', '名前'];
    const named = (names: readonly string[]): [string, string][] =>
      names.map((name) => [name, 'zQ7']);
    expect(JSON.parse(formatTfvars(secrets(named(names)), { rawNames: true }))).toEqual(
      Object.fromEntries(named(names)),
    );
    const refused = ['a.b', '9', '-a', 'a b', '🔑', ''];
    const [, ...reasons] = await refusal(() =>
      formatTfvars(secrets(named(refused)), { rawNames: true }),
    );
    expect(reasons.sort()).toEqual(
      refused.map((name) => `${name}: Terraform takes no such name for a variable`).sort(),
    );
  });
});
