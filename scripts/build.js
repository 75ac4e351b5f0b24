import { execFileSync } from 'node:child_process';
import { chmodSync, rmSync } from 'node:fs';

// The command as a bundle, the library as modules with their types.
rmSync('dist', { recursive: true, force: true });
for (const args of [
  ['rolldown', '-c', 'rolldown.config.js', '--log-level', 'warn'],
  ['tsc', '-p', 'tsconfig.lib.json'],
]) {
  execFileSync('npx', ['--no-install', ...args], { stdio: 'inherit' });
}
chmodSync('dist/bin/credstash.cjs', 0o755);
