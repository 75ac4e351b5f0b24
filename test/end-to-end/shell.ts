import { spawn } from 'node:child_process';
import { sandbox } from '../support/sandbox.ts';
import type { Ended, Place } from './backends.ts';

/** Runs a bash script in which `credstash` is the built command with the options of a place,
 * and `$credstash` its words. */
export async function shell(place: Place, script: string): Promise<Ended> {
  const { cwd, env, command, remove } = sandbox(place.args, { env: place.env });
  const words = command.map((word) => `'${word}'`).join(' ');
  const source = `credstash() { ${words} "$@"; }\ncredstash="${words}"\n${script}`;
  try {
    return await new Promise<Ended>((resolve, reject) => {
      const bash = spawn('bash', ['-c', source], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
      let stdout = '';
      let stderr = '';
      bash.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
      bash.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
      bash.on('error', reject);
      bash.on('close', (status) => {
        resolve({ status, stdout, stderr });
      });
    });
  } finally {
    remove();
  }
}
