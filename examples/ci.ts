/*
 * A script in CI: runs a command with the secrets that the job's variables refer to, and ends as it does. A variable is
 * such as PASSWORD=credstash://ci.password?label=stable. It is what `credstash exec --resolve=PASSWORD` does, for a script
 * that has more to do.
 *
 *     node ci.js npm run deploy
 */
import { spawn } from 'node:child_process';
import { Credstash, CredstashError } from 'credstash-cli';

// By name: other variables of a job hold what outsiders wrote, such as the title of a commit, which could be a reference.
const VARIABLES = ['PASSWORD', 'DEPLOY_KEY'];

const [program, ...args] = process.argv.slice(2);
if (program === undefined) {
  console.error('usage: node ci.js COMMAND [ARGUMENT...]');
  process.exit(2);
}

const credstash = new Credstash();
// A variable holds text alone: other bytes are an error, and not another text.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
try {
  const references = Object.fromEntries(VARIABLES.map((name) => [name, process.env[name]]));
  const secrets = await credstash.resolveReferences(references);
  const environment = { ...process.env };
  for (const [variable, value] of secrets) {
    const text = decoder.decode(value);
    environment[variable] = text;
    value.fill(0);
    // GitHub Actions leaves out of its log what it has been told, line by line.
    if (process.env['GITHUB_ACTIONS'] === 'true') {
      for (const line of text.split(/\r?\n/)) {
        if (line !== '') console.log(`::add-mask::${line.replaceAll('%', '%25')}`);
      }
    }
  }
  // In the environment of that command alone: neither of this process nor of the job.
  const child = spawn(program, args, { env: environment, stdio: 'inherit' });
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => {
      resolve(code ?? 1);
    });
  });
} catch (error) {
  if (!(error instanceof CredstashError)) throw error;
  console.error(error.message);
  for (const { name, error: why } of error.failures) console.error(`  ${name}: ${why.message}`);
  process.exitCode = error.exitStatus;
} finally {
  await credstash.close();
}
