import type { Secret } from '../model/entry.ts';
import { formatCsv } from './csv.ts';
import { formatDocker } from './docker.ts';
import { formatDotenv } from './dotenv.ts';
import { formatFish } from './fish.ts';
import { formatGithub } from './github.ts';
import type { FormatOptions } from './pairs.ts';
import { formatJson } from './json.ts';
import { formatK8s } from './k8s.ts';
import { formatProperties } from './properties.ts';
import { formatShell } from './shell.ts';
import { formatTfvars } from './tfvars.ts';
import { formatYaml } from './yaml.ts';

/**
 * Formats secrets, in the order of their names. Checks all of them first, and then gives the output in pieces (`toPieces`).
 *
 * @throws CredstashError USAGE, TOO_LARGE, before the first piece
 */
type SecretFormat = (secrets: readonly Secret[], options?: FormatOptions) => Iterable<string>;

/** The formats that secrets are printed in. */
export const SECRET_FORMATS: Readonly<Record<string, SecretFormat>> = {
  json: formatJson,
  yaml: formatYaml,
  csv: formatCsv,
  dotenv: formatDotenv,
  shell: formatShell,
  fish: formatFish,
  docker: formatDocker,
  github: formatGithub,
  k8s: formatK8s,
  tfvars: formatTfvars,
  properties: formatProperties,
};
