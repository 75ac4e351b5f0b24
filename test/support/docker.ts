import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startHttpServer } from './http-server.ts';
import { programMissing } from './needed.ts';
import { makeFolder, removeFolder } from './temporary-folder.ts';

/** Why there is no docker client; undefined where there is one. */
export function dockerMissing(): string | undefined {
  return programMissing('docker', '--version');
}

/**
 * The environment that the docker client asks its engine for, `NAME=value` each, when it is given this env-file. The
 * engine is a server that answers nothing but that.
 */
export async function dockerEnvironment(envFile: string): Promise<string[]> {
  const folder = makeFolder();
  let environment: string[] | undefined;
  const engine = await startHttpServer((request, response, body) => {
    response.setHeader('Api-Version', '1.44');
    response.setHeader('Content-Type', 'application/json');
    if (request.url?.endsWith('/_ping')) response.end('OK');
    else if (/\/containers\/create\b/.test(request.url ?? '')) {
      const { Env = [] } = JSON.parse(body.toString()) as { Env?: string[] | null };
      environment = Env ?? [];
      response.writeHead(201).end('{"Id":"0123456789ab","Warnings":[]}');
    } else response.writeHead(404).end('{"message":"there is no such thing here"}');
  });
  try {
    const file = join(folder, 'env');
    writeFileSync(file, envFile);
    await promisify(execFile)('docker', ['create', '--env-file', file, 'image'], {
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: folder,
        DOCKER_HOST: engine.url.replace('http:', 'tcp:'),
      },
    });
  } finally {
    await engine.close();
    removeFolder(folder);
  }
  if (environment === undefined) throw new Error('the docker client asked for no container');
  return environment;
}
