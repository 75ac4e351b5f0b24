import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import manifest from '../package.json' with { type: 'json' };
import { readIdentity } from '../scripts/identity.js';
import { documents, textOf } from './support/documents.ts';

/*
 * Whoever reads our documents runs what they show, in jobs that hold secrets. So they name nothing to be fetched that
 * somebody else could register: a package of a registry, an image, an action, a script behind curl.
 */

const root = join(import.meta.dirname, '..');
const identity = readIdentity();

/** Our names: documents tell people to fetch them once they are ours, which `released` in identity.json says. */
const OURS = identity.released ? [identity.package, identity.image] : [];

/** Our dependencies, which package-lock.json pins. */
const PACKAGES = new Set(
  Object.keys({
    ...manifest.dependencies,
    ...manifest.optionalDependencies,
    ...manifest.devDependencies,
  }).concat(OURS),
);

/** Images of Docker itself and of Google, an account of AWS that documentation may use, and a name that nobody can own (RFC 2606). */
const IMAGES =
  /^(?:(?:node|debian)(?::[\w.-]+)?|scratch|gcr\.io\/distroless\/[\w./-]+(?::[\w.-]+)?|123456789012\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com\/.+|registry\.example\.com\/.+)$/;

/** Whether an image may be named, with or without its tag. */
const isKnownImage = (name: string): boolean =>
  IMAGES.test(name) || OURS.includes(name.replace(/(?::[\w.-]+)?(?:@sha256:[0-9a-f]{64})?$/, ''));

/** Actions of GitHub and of AWS. */
const ACTIONS = /^(?:actions|aws-actions)\/[\w-]+@v\d+$/;

/** A file or a folder of one's own. */
const PATH = /^(?:\.{1,2}|~|\$\{?\w+\}?)?\//;

/** The arguments of a command that are no options. */
function operands(text: string): string[] {
  const words = text.split(/\s+/).filter((word) => word !== '');
  return words.filter((word) => !word.startsWith('-'));
}

/** The image of `docker run …`: its first word that is neither an option nor the value of one. */
function imageOf(text: string): string[] {
  const takesNone = /^-(?:-rm|-init|-read-only|-detach|-interactive|-tty|[ditP]+)$|=/;
  const words = text.split(/\s+/).filter((word) => word !== '');
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? '';
    if (!word.startsWith('-')) return [word];
    if (!takesNone.test(word)) i += 1;
  }
  return [];
}

/** A way to fetch what others made: a pattern whose first group is what is named, what that names, and what may be named. */
interface Way {
  readonly pattern: RegExp;
  readonly named?: (text: string) => string[];
  readonly allowed?: (name: string) => boolean;
}

const WAYS: readonly Way[] = [
  {
    pattern:
      /\b(?:npm|pnpm|yarn|bun|deno) +(?:i|in|ins|install|add|exec|x|dlx|create|init|view|update)\b(?! +ci)([^\n`'"&|;)]*)/g,
    allowed: (name) => PACKAGES.has(name) || PATH.test(name),
  },
  { pattern: /\byarn +global +add\b([^\n`'"&|;)]*)/g },
  {
    pattern: /\b(?:npx|bunx|pnpx)\b([^\n`'"&|;)]*)/g,
    named: (text) => operands(text).slice(0, 1),
    allowed: (name) => PACKAGES.has(name),
  },
  {
    pattern:
      /\b(?:pip3?|pipx|brew|gem|cargo|go|apt|apt-get|apk|dnf|yum|pacman|snap|choco|scoop|winget|conda|helm|asdf|mise|nix-env|uv(?: +tool)?) +(?:install|add|tap|get|run|use|-S|-i\w*)\b([^\n`'"&|;)]*)/g,
  },
  { pattern: /\b(?:uvx|nix +run)\b([^\n`'"&|;)]*)/g },
  { pattern: /\b(?:curl|wget)\b([^\n`]*\| *(?:sudo +)?(?:\w*sh|node|python3?)\b)/g },
  {
    pattern: /\b(?:docker|podman|nerdctl) +(?:pull|run|create)\b([^\n`&|;)]*)/g,
    named: imageOf,
    allowed: isKnownImage,
  },
  {
    pattern: /\bimage["']?: +["']?([\w$][^\s"',]*)/g,
    allowed: isKnownImage,
  },
  {
    pattern: /\buses: +["']?([^\s"']+)/g,
    allowed: (name) => ACTIONS.test(name) || PATH.test(name),
  },
];

/** Of a document; in our sources a line of SQL begins so. */
const DOCKERFILE: Way = {
  pattern: /^ *(?:[`>-] *)?FROM +(?:--\S+ +)?([a-z$][^\s`]*)/gm,
  allowed: isKnownImage,
};

/** What `text` tells people to fetch that somebody else may own. */
function strangers(text: string, ways: readonly Way[] = [...WAYS, DOCKERFILE]): string[] {
  return ways.flatMap(({ pattern, named = operands, allowed = () => false }) =>
    [...text.matchAll(pattern)].flatMap(([line, rest = '']) =>
      named(rest).flatMap((name) => (allowed(name) ? [] : [`${name} in: ${line.trim()}`])),
    ),
  );
}

/** The sources: the texts of help, hints and scripts stand in them. */
function sources(): string[] {
  return ['src', 'bin', 'examples'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .map((path) => join(folder, path)),
  );
}

describe('what people are told to run', () => {
  it.each(documents())('%s names nothing to fetch that others may own', (document) => {
    expect(strangers(textOf(document))).toEqual([]);
  });

  it('nor do help, hints and examples', () => {
    const found = sources().flatMap((path) =>
      strangers(readFileSync(join(root, path), 'utf8'), WAYS).map((each) => `${path}: ${each}`),
    );
    expect(found).toEqual([]);
  });

  it.each([
    ['npm install -g credstash-cli'],
    ['`npm i credstash-cli@latest`'],
    ['    - run: npm install -g --ignore-scripts credstash-cli'],
    ['npm install ./x.tgz credstash-cli'],
    ['npm exec credstash-cli'],
    ['npx credstash-cli get x'],
    ['npx --yes credstash-cli'],
    ['pnpm add credstash-cli'],
    ['yarn global add credstash-cli'],
    ['bunx credstash-cli'],
    ['pip install credstash'],
    ['pip3 install --user credstash'],
    ['pipx run credstash'],
    ['uv tool install credstash'],
    ['brew install credstash'],
    ['apt-get install -y credstash'],
    ['go install example.org/x@latest'],
    ['curl -fsSL https://example.org/install.sh | sh'],
    ['docker pull credstash/credstash'],
    ['docker run --rm -e A=b credstash get x'],
    ['docker run --env-file app.env app'],
    ['FROM credstash:1'],
    ['FROM --platform=linux/amd64 credstash/credstash AS x'],
    ['      image: credstash:1'],
    ['  "image": "api:1",'],
    ['- uses: someone/credstash-action@v1'],
  ])('%s would be found', (line) => {
    expect(strangers(`Text before.\n${line}\nText behind.\n`)).not.toEqual([]);
  });

  it.each([
    ['npm ci && npm run build && npm link'],
    ['npm ci && npm run build && npm pack'],
    ['npm install -g ./credstash-cli-0.1.0.tgz'],
    ['npm install -g --ignore-scripts ./tools/credstash-cli-0.1.0.tgz'],
    ['npm install libsql'],
    ['npx vitest run test/x.test.ts'],
    ['docker run --init --tmpfs /run registry.example.com/app'],
    ['FROM node:24-slim AS credstash'],
    ['FROM gcr.io/distroless/cc-debian12'],
    ['- uses: actions/checkout@v5'],
  ])('%s is our own, or of those that we trust', (line) => {
    expect(strangers(`${line}\n`)).toEqual([]);
  });

  it.runIf(!identity.released)('that nobody may install the package by its name is said', () => {
    for (const document of ['README.md', 'docs/how-to/ci.md', 'docs/reference/library.md']) {
      const text = textOf(document).replace(/\s+/g, ' ').replace('from a registry ', '');
      expect(text, document).toContain(`o not install \`${identity.package}\` by its name`);
    }
  });
});

describe('the reference is complete', () => {
  const [, statuses = ''] =
    /EXIT_STATUS = \{([^}]+)\}/.exec(readFileSync(join(root, 'src/errors.ts'), 'utf8')) ?? [];
  const codes = [...statuses.matchAll(/^ +([A-Z_]+): (\d+),$/gm)].map(
    ([, code = '', status = '']) => [code, status] as const,
  );

  it('the codes are found', () => {
    expect(codes).toContainEqual(['USAGE', '2']);
  });

  it.each(codes)('errors.md has %s with status %s', (code, status) => {
    expect(textOf('docs/reference/errors.md')).toMatch(
      RegExp(`^\\| \`${code}\` +\\| ${status} +\\| \\S`, 'm'),
    );
  });

  it('settings.md has every variable that the sources read', () => {
    const read = sources().flatMap((path) =>
      [...readFileSync(join(root, path), 'utf8').matchAll(/env\[?\.?'?(CREDSTASH_\w+)/g)].map(
        ([, name = '']) => name,
      ),
    );
    expect(read).toContain('CREDSTASH_TIMEOUT');
    const page = textOf('docs/reference/settings.md');
    expect([...new Set(read)].filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });
});
