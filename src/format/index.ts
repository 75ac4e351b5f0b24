import type { Secret } from '../model/entry.ts';
import { csv } from './csv.ts';
import { docker } from './docker.ts';
import { dotenv } from './dotenv.ts';
import { github } from './github.ts';
import type { FormatOptions } from './pairs.ts';
import { json } from './json.ts';
import { k8s } from './k8s.ts';
import { properties } from './properties.ts';
import { shell } from './shell.ts';
import { tfvars } from './tfvars.ts';
import { yaml } from './yaml.ts';

/** What several secrets, in the order of their names, are printed as. */
export const SECRET_FORMATS: Readonly<
  Record<string, (secrets: readonly Secret[], options?: FormatOptions) => string>
> = { json, yaml, csv, dotenv, shell, docker, github, k8s, tfvars, properties };
