import { join } from 'node:path';
import type { PrivateFolder } from '../files/private-folder.ts';
import type { Assignment, Environment } from './environment.ts';

/** The secrets of the command line, and those of the references in the environment. */
export interface Got {
  readonly secrets: readonly Assignment[];
  readonly resolved: readonly Assignment[];
}

/** What COMMAND is started with. */
export interface Start {
  readonly environment: Environment;
  /** The environment to compare with the next one: it has a digest of each file in the place of the file's path. */
  readonly compared: Environment;
  /** Removes the files. */
  readonly discard: () => void;
}

/**
 * Builds an environment, and writes the files of those secrets that need one. Each call has a folder of its own: the old COMMAND
 * keeps its files while it ends.
 *
 * @param folder for the folder of the files; undefined if no secret needs a file
 * @param build builds the environment with the paths that the files will have
 * @throws CredstashError IO; what `build` throws
 */
export function prepareStart(
  folder: PrivateFolder | undefined,
  { secrets }: Got,
  build: (pathOf: (variable: string) => string) => Environment,
): Start {
  const part = folder?.addPart();
  const discard = (): void => {
    if (part !== undefined) folder?.wipe(part);
  };
  try {
    const pathOf = (variable: string): string => join(part ?? '', variable);
    const environment = build(pathOf);
    const compared = Object.assign(Object.create(null) as Record<string, string>, environment);
    const files = new Map(
      secrets.flatMap(({ isFile, variable = '', value }) => (isFile ? [[variable, value]] : [])),
    );
    for (const [variable, value] of files) {
      // The environment's own value has won.
      if (environment[variable] !== pathOf(variable)) continue;
      const digest = folder?.write(pathOf(variable), value);
      if (digest !== undefined) compared[variable] = digest;
    }
    return { environment, compared, discard };
  } catch (error) {
    discard();
    throw error;
  }
}
