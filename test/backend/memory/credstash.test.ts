import { describe, expect, it } from 'vitest';
import { Credstash } from '../../../src/credstash.ts';
import { bytes } from '../../support/bytes.ts';

describe('Credstash.inMemory', () => {
  it('does what an application does with secrets', async () => {
    const credstash = Credstash.inMemory();
    await credstash.put('db.password', bytes('first'));
    await credstash.put('db.password', bytes('second'), { autoversion: true });
    expect(await credstash.getText('db.password')).toBe('second');
    expect(await credstash.getText('db.password', { version: '1' })).toBe('first');
    await credstash.label('db.password', 'live', { version: '1' });
    expect(await credstash.getText('db.password', { label: 'live' })).toBe('first');
    const { secrets } = await credstash.getAll({ glob: 'db.*' });
    expect(secrets.map(({ name }) => name)).toEqual(['db.password']);
    expect(await credstash.location()).toBe('memory');
  });

  it('seals: other pairs open nothing', async () => {
    const credstash = Credstash.inMemory();
    await credstash.put('n', bytes('value'), { context: { env: 'prod' } });
    await expect(credstash.get('n')).rejects.toMatchObject({ code: 'WRONG_CONTEXT' });
    expect(await credstash.getText('n', { context: { env: 'prod' } })).toBe('value');
  });

  it('shares nothing between instances, and forgets what it has when it is closed', async () => {
    const credstash = Credstash.inMemory();
    await credstash.put('n', bytes('value'));
    await expect(Credstash.inMemory().get('n')).rejects.toMatchObject({ code: 'SECRET_NOT_FOUND' });
    await credstash.close();
    await expect(credstash.get('n')).rejects.toMatchObject({ code: 'SECRET_NOT_FOUND' });
    await credstash.put('n', bytes('other'));
    expect(await credstash.getText('n')).toBe('other');
  });

  it('takes the options of a call: a format that is not trusted, a signal', async () => {
    const credstash = Credstash.inMemory({ formats: ['AES-256-GCM'] });
    await expect(
      credstash.put('n', bytes('value'), { cipher: 'AES-256-CTR' }),
    ).rejects.toMatchObject({ code: 'USAGE' });
    const signal = AbortSignal.abort('enough');
    await expect(Credstash.inMemory({ signal }).get('n')).rejects.toBe('enough');
  });

  it('needs no setup, has no policy, and passes the doctor', async () => {
    const credstash = Credstash.inMemory();
    expect(await credstash.setup()).toBe(false);
    await expect(credstash.policy('reader')).rejects.toMatchObject({ code: 'USAGE' });
    const states = new Set<string>();
    for await (const { state } of credstash.doctor({ write: true })) states.add(state);
    expect([...states]).toEqual(['ok']);
  });
});
