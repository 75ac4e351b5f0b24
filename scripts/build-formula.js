import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readIdentity, tarballName } from './identity.js';

/*
 * The Homebrew formula of a release, from its checksums: `npm run build:formula [SHA256SUMS]` writes credstash.rb beside them.
 * It installs the single files that the release offers, and from the npm package the manual and the notices.
 */
const root = join(import.meta.dirname, '..');

/** The class of Homebrew for each system and processor, and the single file for it. */
const FILES = {
  on_macos: { on_arm: 'credstash-macos-arm64', on_intel: 'credstash-macos-x64' },
  on_linux: { on_arm: 'credstash-linux-arm64', on_intel: 'credstash-linux-x64' },
};

/** A string of Ruby, in which nothing is replaced. @param {string} text */
function quote(text) {
  if (/[\n"\\#]/.test(text)) throw new Error(`cannot be in the formula: ${text}`);
  return `"${text}"`;
}

/**
 * Makes the formula.
 *
 * @param {string} sums the text of SHA256SUMS: lines of a digest, two spaces and a name
 * @param {import('./identity.js').Identity} identity
 * @param {{ version: string, license: string }} manifest
 * @returns {string}
 * @throws Error if a file has no checksum, or two
 */
export function makeFormula(sums, identity, { version, license }) {
  /** @param {string} name @param {string} indent */
  const source = (name, indent) => {
    const digests = [...sums.matchAll(/^([0-9a-f]{64}) [ *](.+)$/gm)].flatMap(
      ([, digest = '', file]) => (file === name ? [digest] : []),
    );
    const [digest] = digests;
    if (digest === undefined || digests.length > 1) {
      throw new Error(`${digests.length} checksums of ${name}`);
    }
    const url = `${identity.repository}/releases/download/v${version}/${name}`;
    return `${indent}url ${quote(url)}\n${indent}sha256 ${quote(digest)}\n`;
  };
  const systems = Object.entries(FILES).map(([system, files]) => {
    const each = Object.entries(files).map(
      ([processor, name]) => `    ${processor} do\n${source(name, '      ')}    end\n`,
    );
    return `  ${system} do\n${each.join('')}  end\n`;
  });
  return `class Credstash < Formula
  desc "Secrets in DynamoDB or a local vault, sealed with KMS data keys"
  homepage ${quote(identity.repository)}
  version ${quote(version)}
  license ${quote(license)}

${systems.join('\n')}
  resource "package" do
${source(tarballName(identity.package, version), '    ')}  end

  def install
    file = Dir["credstash-*"].first
    chmod 0755, file
    bin.install file => "credstash"
    generate_completions_from_executable(bin/"credstash", "completion", shells: [:bash, :zsh, :fish])
    resource("package").stage do
      man1.install Dir["dist/man/*.1"]
      # The single file contains Bun, and other code with a license of its own.
      doc.install "THIRD-PARTY-NOTICES"
    end
  end

  test do
    ENV["CREDSTASH_LOCAL"] = (testpath/"vault").to_s
    pipe_output("#{bin}/credstash put greeting -", "hello", 0)
    assert_equal "hello\\n", shell_output("#{bin}/credstash get greeting")
    assert_equal "#{version}\\n", shell_output("#{bin}/credstash --version")
  end
end
`;
}

if (process.argv[1] === import.meta.filename) {
  const { positionals } = parseArgs({ allowPositionals: true });
  const [file = join(root, 'dist/release/SHA256SUMS')] = positionals;
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const formula = makeFormula(readFileSync(file, 'utf8'), readIdentity(), manifest);
  const output = join(file, '..', 'credstash.rb');
  writeFileSync(output, formula);
  process.stdout.write(`${output}\n`);
}
