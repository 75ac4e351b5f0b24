import { describe, expect, it } from 'vitest';
import { dropAddedNewline, toFileName } from '../../../src/cli/edit/text.ts';
import { bytes } from '../../support/bytes.ts';

describe('dropAddedNewline', () => {
  it.each([
    ['', 'a\n', 'a'],
    ['a', 'a\n', 'a'],
    ['a', 'b', 'b'],
    ['a', 'b\n\n', 'b\n'],
    ['a\n', 'b\n', 'b\n'],
    ['a\n', 'b', 'b'],
    ['a\r\nb', 'a\r\nc\r\n', 'a\r\nc'],
    ['a\r', 'a\r\n', 'a\r'],
    ['a', '\n', ''],
    ['a', '', ''],
  ])('of %j and %j is %j', (before, after, expected) => {
    expect(Buffer.from(dropAddedNewline(bytes(before), bytes(after))).toString()).toBe(expected);
  });
});

describe('toFileName', () => {
  it.each([
    ['db.password', 'x', 'db-password'],
    ['prod/../../etc/passwd', 'x', 'prod-etc-passwd'],
    ['.emacs', 'x', 'emacs'],
    ['-rf', 'x', 'rf'],
    ['tls.pem', 'x', 'tls.pem'],
    ['app.config', '{"a": 1}', 'app-config.json'],
    ['app.YAML', '{"a": 1}', 'app.yaml'],
    ['backup.tar.gz', 'x', 'backup-tar-gz'],
    ['run.el', 'x', 'run-el'],
    ['.json', '{', 'secret.json'],
    ['\u202ex\n', 'x', 'x'],
    ['*', '', 'secret'],
    ['a'.repeat(2000), '', 'a'.repeat(80)],
  ])('of %j with %j is %j', (name, value, expected) => {
    expect(toFileName(name, bytes(value))).toBe(expected);
  });
});
