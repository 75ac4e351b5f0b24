import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  asText,
  awsPlace,
  dynalite,
  failed,
  type Place,
  runHere,
  type Running,
  vaultPlace,
} from '../end-to-end/backends.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { eventually } from '../support/eventually.ts';
import { programMissing } from '../support/needed.ts';
import { startRecorder } from '../support/recorder.ts';
import { pty, type Program, run } from '../support/run.ts';
import { sandbox } from '../support/sandbox.ts';

/*
 * A look comes after five seconds at the earliest, so the tests that wait for one run at once. test/operations/follow.test.ts and
 * test/cli/exec/follow.test.ts have the rest, without that wait.
 */

const folder = temporaryFolder();
let counter = 0;
const vaultOf = async (secrets: Readonly<Record<string, string>>): Promise<Place> => {
  const place = vaultPlace(join(folder, `vault-${++counter}`), runHere);
  const input = JSON.stringify(secrets);
  expect(await place.cs(['putall', '-'], { input })).toMatchObject({ status: 0 });
  return place;
};

let aws: Running;
beforeAll(async () => {
  aws = await dynalite.start();
});
afterAll(async () => {
  await aws.close();
});

interface Started {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly ended: Promise<unknown[]>;
}

function start(place: Place, args: readonly string[], program: Program = {}): Started {
  const env = { ...place.env, ...program.env };
  const box = sandbox([...place.args, ...args], { ...program, env });
  const [file, ...rest] = box.command;
  const child = spawn(file, rest, { cwd: box.cwd, env: box.env, detached: true });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  const ended = once(child, 'close').finally(box.remove);
  return { child, stdout: () => stdout, stderr: () => stderr, ended };
}

/** A server that answers with its secrets, and ends with status 8 once SIGTERM has come and its requests are answered. */
const SERVER = `const server = require('node:http').createServer((_, answer) => answer.end(process.env.DB + ' ' + process.env.USER_OF_DB));
server.listen(0, '127.0.0.1', () => console.log('port ' + server.address().port));
process.on('SIGTERM', () => server.close(() => { console.log('closed'); process.exit(8); }));`;

describe.concurrent('exec --watch', () => {
  test('a server has the new secrets after a label has moved; one that is deleted leaves it running', async () => {
    const place = await vaultOf({ 'app.db': 'one', 'app.user': 'me' });
    for (const name of ['app.db', 'app.user']) await place.cs(['label', name, 'live']);
    const command = [process.execPath, '-e', SERVER];
    const env = { DB: 'credstash://app.db?label=live' };
    const user = ['--env', 'USER_OF_DB=app.user', '--resolve'];
    const started = start(place, ['exec', '--watch=5', ...user, '--', ...command], { env });
    const ask = async (): Promise<string> => {
      const [, port = ''] = [...started.stdout().matchAll(/port (\d+)/g)].at(-1) ?? [];
      const answer = await fetch(`http://127.0.0.1:${port}`);
      return answer.text();
    };
    await eventually(async () => {
      expect(await ask()).toBe('one me');
    });
    // Not yet released.
    await place.cs(['put', '-a', 'app.db', 'two']);
    expect(await place.cs(['label', 'app.db', 'live'])).toMatchObject({ status: 0 });
    await eventually(async () => {
      expect(await ask()).toBe('two me');
    });
    expect(started.stderr()).toBe('credstash: DB has changed: restarting COMMAND\n');
    expect(await place.cs(['delete', 'app.user'])).toMatchObject({ status: 0 });
    await eventually(() => {
      expect(started.stderr()).toContain(
        `credstash: error: the secret app.user is no longer in ${place.where}\ncredstash: warning: COMMAND goes on with the secrets that it has\n`,
      );
    });
    expect(await ask()).toBe('two me');
    started.child.kill('SIGTERM');
    expect(await started.ended).toEqual([8, null]);
    expect(started.stdout().match(/port|closed/g)).toEqual(['port', 'closed', 'port', 'closed']);
  });

  test('on a terminal: a burst of puts is one restart, SIGKILL ends what ignores SIGTERM, ^C ends it all', async () => {
    const place = await vaultOf({ 'app.a': '1', 'app.b': '1', 'app.c': '1' });
    const script = `process.on('SIGTERM', () => console.log('ignored'));
setInterval(() => undefined, 1000);
console.log('running ' + process.env.A + process.env.B + process.env.C + '.');`;
    const command = ['--', process.execPath, '-e', script];
    const watch = ['exec', '--watch=5', '--grace', '5s', 'app.*'];
    const { waitFor, send, output } = pty([...place.args, ...watch, ...command], {
      script: (line) => `trap : INT; ${line}; echo "status $?."`,
    });
    await waitFor('running 111.');
    // By one process: the start of each could take longer than the pause that ends a burst.
    const input = JSON.stringify({ 'app.a': '2', 'app.b': '2', 'app.c': '2' });
    expect(await place.cs(['putall', '-a', '-'], { input })).toMatchObject({ status: 0 });
    await waitFor('A, B, C have changed: restarting COMMAND');
    await waitFor('ignored');
    await waitFor('running 222.');
    send('\x03');
    await waitFor('status 130.');
    expect(output().match(/running/g)).toHaveLength(2);
  });

  test('COMMAND that ends during a look ends credstash; AWS that is silent does not end COMMAND', async () => {
    const on = await aws.place();
    await on.cs(['put', 'a', 'x']);
    const recorder = await startRecorder({ DynamoDB: aws.dynamo ?? '', KMS: aws.kms?.url ?? '' });
    try {
      const place = awsPlace(recorder.url, recorder.url, on.args[1] ?? '');
      const end = join(folder, 'end');
      const script = `echo started; while [ ! -e ${end} ]; do sleep 0.05; done; exit 9`;
      const started = start(place, ['exec', '--watch=5', 'a', '--', 'sh', '-c', script]);
      await eventually(() => {
        expect(started.stdout()).toBe('started\n');
      });
      recorder.requests.length = 0;
      recorder.meddle = () => Promise.resolve({ status: 200, body: '', delivery: 'never' });
      await eventually(() => {
        expect(recorder.requests.map(({ action }) => action)).toEqual(['DynamoDB.Query']);
      });
      writeFileSync(end, '');
      expect(await started.ended).toEqual([9, null]);
      expect(started.stderr()).toBe('');
    } finally {
      await recorder.close();
    }
  });

  test.runIf(programMissing('unshare', '--pid', '--fork', 'true') === undefined)(
    'as PID 1 it passes signals on, and says that it cannot remove what others left to it',
    async () => {
      const place = await vaultOf({ a: 'x' });
      const under = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'] as const;
      const script = `trap 'echo asked; exit 3' TERM; (sleep 0.1 &); echo started; while :; do sleep 0.05; done`;
      const started = start(place, ['exec', '--watch', 'a', '--', 'sh', '-c', script], {
        under: [...under],
      });
      await eventually(() => {
        expect(started.stderr()).toMatch(
          /^credstash: warning: COMMAND leaves ended processes behind.*\ncredstash: hint: give the container an init: --init of docker/,
        );
      });
      // unshare itself passes nothing on.
      const { pid = 0 } = started.child;
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
      process.kill(Number(children), 'SIGTERM');
      expect(await started.ended).toEqual([3, null]);
      expect(started.stdout()).toBe('started\nasked\n');
    },
  );

  test('the status and the signal of COMMAND, and what it is refused with', async () => {
    const place = await vaultOf({ a: 'x' });
    const exec = (...args: string[]): ReturnType<Place['cs']> => place.cs(['exec', ...args]);
    expect(await exec('--watch', 'a', '--', 'sh', '-c', 'echo $A; exit 5')).toEqual({
      ...{ status: 5, stdout: 'x\n', stderr: '' },
    });
    const killed = await place.raw(['exec', '--watch', 'a', '--', 'sh', '-c', 'kill -TERM $$']);
    expect(killed).toMatchObject({ signal: 'SIGTERM', stderr: '' });
    expect(await exec('--watch=4', 'a', '--', 'true')).toEqual(
      failed(2, 'looks every 5 s at most', '--watch=5s'),
    );
    expect(await exec('--grace', '5s', 'a', '--', 'true')).toEqual(failed(2, 'is for --watch'));
    expect(await exec('--watch', '30s', 'a', '--', 'true')).toMatchObject({
      status: 3,
      stderr: expect.stringMatching(/no secret 30s.*\n.*hint: .* --watch=30s\n/) as string,
    });
    expect(await exec('--watch', 'none', '--', 'true')).toMatchObject({
      status: 3,
      stderr: expect.stringContaining('no secret none') as string,
    });
    expect(await exec('--watch', '--', 'echo', 'ran')).toEqual({
      ...{ status: 0, stdout: 'ran\n' },
      stderr: 'credstash: warning: no secret is asked for, so there is nothing to watch\n',
    });
    expect(await exec('--watch', 'a', '--', '/nonexistent')).toMatchObject({ status: 127 });
    const timed = await run([
      ...place.args,
      'exec',
      '--watch',
      '--timeout',
      '10s',
      'a',
      '--',
      'sleep',
      '11',
    ]);
    expect(asText(timed)).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  test('the environment of credstash itself has no secret', async () => {
    const place = await vaultOf({ 'app.db': 's3cret-of-watch' });
    const look = 'tr "\\0" "\\n" </proc/$PPID/environ; cat /proc/$PPID/cmdline; echo; echo $DB';
    const { stdout } = await place.cs(['exec', '--watch', 'app.*', '--', 'sh', '-c', look]);
    expect(stdout.split('s3cret-of-watch')).toHaveLength(2);
    expect(stdout.endsWith('s3cret-of-watch\n')).toBe(true);
  });
});
