import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Gate, makeGate } from '../support/gate.ts';
import { startRecorder, type Recorder } from '../support/recorder.ts';
import { leftOn, type Pty, pty, type PtyOptions } from '../support/run.ts';
import {
  asText,
  awsPlace,
  dynalite,
  ok,
  type Place,
  type Running,
} from '../end-to-end/backends.ts';

const COUNT = 12;
const erase = '\r\x1b[K';
const secrets = Object.fromEntries(Array.from({ length: COUNT }, (_, i) => [`s${i + 10}`, 'x']));

let running: Running;
let recorder: Recorder;
let place: Place;
/** The same without the recorder, for what is prepared. */
let plain: Place;
beforeAll(async () => {
  running = await dynalite.start();
  recorder = await startRecorder({ DynamoDB: running.dynamo ?? '', KMS: running.kms?.url ?? '' });
});
beforeEach(async () => {
  recorder.meddle = undefined;
  plain = await running.place();
  place = awsPlace(recorder.url, recorder.url, plain.args[1] ?? '');
});
afterAll(() => Promise.all([recorder.close(), running.close()]));

/** Answers of these come once the gate is open: what a terminal shows meanwhile can be waited for, however long it takes. */
function hold(...actions: readonly RegExp[]): Gate[] {
  const gates = actions.map((pattern) => ({ pattern, ...makeGate() }));
  recorder.meddle = async (action) => {
    await gates.find(({ pattern }) => pattern.test(action))?.opened;
    return undefined;
  };
  return gates;
}

/** Answers of these come so late that progress is due. */
function delay(actions: RegExp): void {
  recorder.meddle = async (action) => {
    if (actions.test(action)) await sleep(1500);
    return undefined;
  };
}

async function put(): Promise<void> {
  const { status } = await plain.cs(['putall', JSON.stringify(secrets)]);
  expect(status).toBe(0);
}

function terminal(args: readonly string[], options: PtyOptions = {}): Pty {
  return pty([...place.args, ...args], { env: place.env, ...options });
}

describe('progress of slow work on a terminal', () => {
  test('getall: what is read, then what is opened; the line is gone before the secrets', async () => {
    await put();
    const [scan, decrypt] = hold(/Scan/, /Decrypt/);
    const { waitFor, done } = terminal(['getall', '-f', 'csv']);
    await waitFor(`${erase}credstash: entries read: 0`);
    scan?.open();
    await waitFor(RegExp(`credstash: secrets opened: \\d+ of ${COUNT}`));
    decrypt?.open();
    const { status, output } = await done;
    expect(status).toBe(0);
    const csv = Object.keys(secrets).map((name) => `${name},x\r\n`);
    expect(leftOn(output)).toBe(`${csv.join('')}\r\n`);
  });

  test('get GLOB -o FILE leaves an empty line at the end', async () => {
    await put();
    const [decrypt] = hold(/Decrypt/);
    const { waitFor, done } = terminal(['get', 's*', '-o', 'out']);
    await waitFor(RegExp(`secrets opened: \\d+ of ${COUNT}`));
    decrypt?.open();
    const { status, output } = await done;
    expect({ status, left: leftOn(output) }).toEqual({ status: 0, left: '' });
  });

  test('putall: the line stands below what is stored', async () => {
    const [create] = hold(/PutItem/);
    const { waitFor, done } = terminal(['putall', JSON.stringify(secrets)]);
    await waitFor(RegExp(`secrets done: \\d+ of ${COUNT}`));
    create?.open();
    const { output } = await done;
    const said = Object.keys(secrets).map((name) => `${name} has been stored\r\n`);
    expect(leftOn(output)).toBe(said.join(''));
  });

  test('delete of many versions', async () => {
    for (let version = 1; version <= 8; version++) {
      expect(await plain.cs(['put', 'many', 'x', '-a'])).toMatchObject({ status: 0 });
    }
    const [remove] = hold(/DeleteItem/);
    const { waitFor, done } = terminal(['delete', 'many', '--yes']);
    await waitFor(/versions deleted: \d of 8/);
    remove?.open();
    const { output } = await done;
    expect(leftOn(output).match(/Deleting many -- version 0+\d\r\n/g)).toHaveLength(8);
    expect(leftOn(output)).not.toContain(' of 8');
  });

  test.each([['list'], ['keys']])('%s: entries that are read', async (command) => {
    await put();
    const [scan] = hold(/Scan/);
    const { waitFor, done } = terminal([command]);
    await waitFor('credstash: entries read: 0');
    scan?.open();
    const { output } = await done;
    expect(leftOn(output).split('\r\n')).toHaveLength(COUNT + 1);
    expect(leftOn(output)).not.toContain('entries read');
  });

  test('a failure erases it before it is told', async () => {
    await put();
    let left = COUNT - 1;
    const { opened, open } = makeGate();
    recorder.meddle = async (action) => {
      if (action !== 'KMS.Decrypt') return undefined;
      if (left-- > 0) return undefined;
      await opened;
      return { status: 400, body: JSON.stringify({ __type: 'AccessDeniedException' }) };
    };
    const { waitFor, done } = terminal(['getall']);
    await waitFor(`secrets opened: `);
    open();
    const { status, output } = await done;
    expect(status).toBe(6);
    expect(leftOn(output)).toMatch(/^credstash: error: 1 of 12 secrets/);
  });

  test('Ctrl-C leaves the line as it is, and a sane terminal', async () => {
    await put();
    const [decrypt] = hold(/Decrypt/);
    const script = (command: string): string =>
      `trap : INT; ${command}; echo; echo "status $?."; stty -a`;
    const { send, waitFor, done } = terminal(['getall'], { script });
    await waitFor(`of ${COUNT}`);
    send('\x03');
    const { output } = await done;
    decrypt?.open();
    expect(leftOn(output)).toMatch(/^credstash: secrets opened: \d+ of 12\^C\r\nstatus /);
    expect(output).toMatch(/[ \n]icanon[ ;\r]/);
    expect(output).toMatch(/[ \n]echo[ ;\r]/);
  });

  test('with --quiet, and where stderr is no terminal, nothing of it is written', async () => {
    await put();
    delay(/Scan/);
    const csv = Object.keys(secrets).map((name) => `${name},x\n`);
    const quiet = await terminal(['getall', '--quiet', '-f', 'csv']).done;
    expect(quiet).toEqual({ status: 0, output: `${csv.join('')}\n`.replaceAll('\n', '\r\n') });
    expect(asText(await place.raw(['getall', '-f', 'csv']))).toEqual(ok(`${csv.join('')}\n`));
    let left = 4;
    recorder.meddle = () =>
      Promise.resolve(
        left-- > 0
          ? { status: 400, body: '{"__type":"ProvisionedThroughputExceededException"}' }
          : undefined,
      );
    expect(await terminal(['--quiet', 'get', 's10']).done).toEqual({ status: 0, output: 'x\r\n' });
    expect(left).toBeLessThan(0);
  });
});
