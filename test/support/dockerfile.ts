import { chmodSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import manifest from '../../package.json' with { type: 'json' };
import { RootFolder } from './root-folder.ts';

/** An image that was put together without an engine. */
export interface Image {
  readonly root: RootFolder;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly workdir: string;
  /** What `USER` says: the base image's user unless given. */
  readonly user: string | undefined;
  /** The search path of programs. */
  readonly path: string;
  /** What `ENV` says. */
  readonly env: Readonly<Record<string, string>>;
}

export interface BuildContext {
  /** Where images are made. */
  readonly parent: string;
  /** What `COPY` finds by its first word, and `COPY --from=` below /src. */
  readonly files: Readonly<Record<string, string>>;
}

interface Stage extends Image {
  entrypoint: string[];
  command: string[];
  workdir: string;
  user: string | undefined;
  env: Record<string, string>;
}

/**
 * Does what a Dockerfile says, one instruction after the other: files are copied and commands run in a folder that stands
 * for the root. Of the base image there is node, where it has one. A stage that builds the command from its
 * sources is taken for done; its scripts must be there. All files are of one user, and keep their modes but for the folder that `COPY`
 * makes. Labels, and arguments of the build, are nothing to what is tested.
 *
 * @throws Error at an instruction that it does not know, or that fails
 */
export async function buildImage(dockerfile: string, context: BuildContext): Promise<Image> {
  let stage: Stage | undefined;
  const names = new Set<string>();
  for (const line of dockerfile.replaceAll('\\\n', ' ').split('\n')) {
    const [, instruction, rest = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (line.trim() === '' || line.startsWith('#')) continue;
    if (instruction === 'FROM') {
      const [base = '', , name] = rest.replace(/^--platform=\S+ /, '').split(' ');
      if (name !== undefined) names.add(name);
      stage = startStage(base, context.parent);
    } else if (!stage) throw new Error(`before FROM: ${line}`);
    else if (instruction === 'WORKDIR') stage.root.folder((stage.workdir = rest));
    else if (instruction === 'COPY') copy(stage, rest, names, context);
    else if (instruction === 'RUN') await runCommand(stage, rest);
    else if (instruction === 'ENTRYPOINT') stage.entrypoint = words(stage, rest);
    else if (instruction === 'ENV') setVariable(stage, rest);
    else if (instruction === 'CMD') stage.command = words(stage, rest);
    else if (instruction === 'USER') stage.user = rest;
    else if (!['ARG', 'LABEL'].includes(instruction ?? ''))
      throw new Error(`unknown instruction: ${line}`);
  }
  if (!stage) throw new Error('there is no image');
  return stage;
}

function startStage(base: string, parent: string): Stage {
  const root = new RootFolder(parent);
  const distroless = base.startsWith('gcr.io/distroless/');
  if (base.startsWith('node:')) root.addNode();
  else if (base.startsWith('gcr.io/distroless/nodejs')) root.addNode('nodejs/bin/node');
  else if (!distroless && base !== 'debian:stable-slim') throw new Error(`unknown image: ${base}`);
  // Nothing of this machine is in the path of an image that has no programs.
  const path = distroless ? '/usr/local/bin' : '/usr/local/bin:/usr/bin:/bin';
  return { root, entrypoint: [], command: [], workdir: '/', user: undefined, path, env: {} };
}

function copy(stage: Stage, rest: string, names: Set<string>, { files }: BuildContext): void {
  const [, from, listed = '', target = ''] =
    /^(?:--from=(\S+) |--chown=\S+ )?(.+) (\S+)$/.exec(rest) ?? [];
  if (from !== undefined && !names.has(from)) throw new Error(`there is no stage ${from}`);
  const sources = listed.split(' ');
  if (sources.length > 1 && !target.endsWith('/')) throw new Error(`not into a folder: ${rest}`);
  for (const source of sources) {
    // The sources themselves: what they become is there already.
    if (from === undefined && (source === '.' || source === 'credstash')) continue;
    const found = files[source.replace(/^\/src\//, '')];
    if (found === undefined) throw new Error(`there is nothing to copy: ${rest}`);
    const path = target.startsWith('/') ? target : join(stage.workdir, target);
    stage.root.copy(target.endsWith('/') ? join(path, basename(source)) : path, found);
    // Of a folder only what is in it is copied: https://github.com/moby/buildkit/issues/1941.
    if (statSync(found).isDirectory()) chmodSync(stage.root.at(path), 0o755);
  }
}

async function runCommand(stage: Stage, command: string): Promise<void> {
  if (command.startsWith('npm ')) {
    const script =
      /^npm ci --ignore-scripts && npm run (\S+)(?: "linux-\$TARGETARCH")?$/.exec(command)?.[1] ??
      '';
    if (!Object.hasOwn(manifest.scripts, script)) throw new Error(`no such script: ${command}`);
    return;
  }
  const { root, workdir: cwd, path } = stage;
  const { status, stderr } = await root.run(['sh', '-c', root.inside(command)], { cwd, path });
  if (status !== 0) throw new Error(`RUN ${command}: ${stderr}`);
}

function setVariable(stage: Stage, rest: string): void {
  const [, name, value] = /^(\w+)=(\S+)$/.exec(rest) ?? [];
  if (name === undefined || value === undefined) throw new Error(`unknown form: ENV ${rest}`);
  stage.env[name] = stage.root.inside(value);
}

/** The form that starts no shell. */
function words(stage: Stage, rest: string): string[] {
  return (JSON.parse(rest) as string[]).map((each) => stage.root.inside(each));
}
