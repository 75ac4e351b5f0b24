/** The formats of secrets, each with its whole output as one text. The command writes it in pieces. */
import type { Secret } from '../../src/model/entry.ts';
import * as csv from '../../src/format/csv.ts';
import * as docker from '../../src/format/docker.ts';
import * as dotenv from '../../src/format/dotenv.ts';
import * as fish from '../../src/format/fish.ts';
import * as github from '../../src/format/github.ts';
import * as json from '../../src/format/json.ts';
import * as k8s from '../../src/format/k8s.ts';
import type { FormatOptions } from '../../src/format/pairs.ts';
import * as properties from '../../src/format/properties.ts';
import * as shell from '../../src/format/shell.ts';
import * as tfvars from '../../src/format/tfvars.ts';
import * as yaml from '../../src/format/yaml.ts';

type Format<Output> = (secrets: readonly Secret[], options?: FormatOptions) => Output;

function toText(format: Format<Iterable<string>>): Format<string> {
  return (secrets, options) => [...format(secrets, options)].join('');
}

export const formatCsv = toText(csv.formatCsv);
export const formatDocker = toText(docker.formatDocker);
export const formatDotenv = toText(dotenv.formatDotenv);
export const formatFish = toText(fish.formatFish);
export const formatGithub = toText(github.formatGithub);
export const formatJson = toText(json.formatJson);
export const formatK8s = toText(k8s.formatK8s);
export const formatProperties = toText(properties.formatProperties);
export const formatShell = toText(shell.formatShell);
export const formatTfvars = toText(tfvars.formatTfvars);
export const formatYaml = toText(yaml.formatYaml);

export const createGithubExport: Format<{ masks: string; environment: string }> = (
  secrets,
  options,
) => {
  const { masks, environment } = github.createGithubExport(secrets, options);
  return { masks: [...masks].join(''), environment: [...environment].join('') };
};
