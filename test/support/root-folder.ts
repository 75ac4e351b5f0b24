import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import manifest from '../../package.json' with { type: 'json' };
import { pack } from './packed.ts';
import { nodeUnderTest } from './sandbox.ts';

/** Folders of a machine that a document names; no other path of it is changed. */
const OURS =
  /(?<=^|[\s"'=:])\/(?=(?:app|nodejs|opt|run|secrets|templates|usr\/local|etc\/api)\b)/gm;

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder that stands for the root of a machine, without being one: what a document says of `/app` is done in it. */
export class RootFolder {
  readonly path: string;

  constructor(parent: string) {
    this.path = mkdtempSync(join(parent, 'root-'));
    for (const each of ['app', 'home', 'run', 'usr/local/bin']) this.folder(each);
  }

  /** `text` with the paths of the machine in here. */
  inside(text: string): string {
    return text.replace(OURS, `${this.path}/`);
  }

  /** The path of a file in here, whose folder is there. */
  at(path: string): string {
    const found = join(this.path, path);
    mkdirSync(dirname(found), { recursive: true });
    return found;
  }

  folder(path: string): string {
    const found = this.at(path);
    mkdirSync(found, { recursive: true });
    return found;
  }

  write(path: string, text: string, mode = 0o644): void {
    writeFileSync(this.at(path), text, { mode });
  }

  link(path: string, target: string): void {
    symlinkSync(target, this.at(path));
  }

  copy(path: string, source: string): void {
    cpSync(source, this.at(path), { recursive: true, dereference: true });
  }

  /** node, as it is installed. */
  addNode(path = 'usr/local/bin/node'): void {
    this.link(path, nodeUnderTest());
  }

  /** Runs a program, with nothing in its environment but PATH, HOME and what is given. */
  run(
    [program = '', ...args]: readonly string[],
    options: { env?: Readonly<Record<string, string>>; cwd?: string; path?: string } = {},
  ): Promise<Ended> {
    const { env = {}, cwd = '/app', path = '/usr/local/bin:/usr/bin:/bin' } = options;
    return new Promise((resolve, reject) => {
      const PATH = this.inside(path);
      const found = program.includes('/')
        ? [program]
        : PATH.split(':').map((p) => join(p, program));
      const file = found.find((each) => isFile(each));
      if (file === undefined) {
        reject(new Error(`${program} is not in ${PATH}`));
        return;
      }
      const child = spawn(file, args, {
        cwd: join(this.path, cwd),
        env: { PATH, HOME: join(this.path, 'home'), AWS_EC2_METADATA_DISABLED: 'true', ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: 120_000,
      });
      let stdout = '';
      let stderr = '';
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
      child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
      child.on('error', reject);
      child.on('close', (status) => {
        resolve({ status, stdout, stderr });
      });
    });
  }
}

function isFile(path: string): boolean {
  return readdirSync(dirname(path), { withFileTypes: true }).some(
    (each) => join(dirname(path), each.name) === path && !each.isDirectory(),
  );
}

/**
 * The package as it would be published, taken apart in `folder`.
 *
 * @returns what npm links as the command
 */
export function packedCommand(folder: string): string {
  execFileSync('tar', ['-xzf', pack(), '-C', folder]);
  return join(folder, 'package', manifest.bin.credstash);
}
