import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { buildEnvironment } from '../../src/cli/exec/environment.ts';
import { CredstashError } from '../../src/errors.ts';
import {
  describeReserved,
  ReservedVariable,
  refuseReserved,
} from '../../src/model/variable-names.ts';
import { describeUnless, programMissing } from '../support/needed.ts';
import { secrets } from '../format/secrets.ts';
import {
  formatDocker,
  formatDotenv,
  formatFish,
  formatGithub,
  formatShell,
} from '../support/formats.ts';

const root = resolve(import.meta.dirname, '../..');

const words = (text: string): string[] => text.trim().split(/\s+/);

/** As the manuals have them; in any case, and with what stands for a name in a family. */
const RESERVED: Readonly<Record<string, string>> = {
  loaders: `LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT LD_ANYTHING DYLD_INSERT_LIBRARIES DYLD_LIBRARY_PATH LIBPATH SHLIB_PATH
    _RLD_LIST LDR_PRELOAD GCONV_PATH GETCONF_DIR GLIBC_TUNABLES LOCPATH NLSPATH MALLOC_TRACE MALLOC_CONF HOSTALIASES
    LOCALDOMAIN RES_OPTIONS RESOLV_HOST_CONF NIS_PATH TZDIR`,
  shells: `PATH path fpath cdpath mailpath module_path manpath prompt psvar IFS ENV BASH_ENV BASHOPTS SHELLOPTS BASH_FUNC_ls%%
    BASH_FUNC_ls() BASH_LOADABLES_PATH BASH_XTRACEFD PROMPT_COMMAND PS0 PS1 PS2 PS3 PS4 PROMPT PROMPT2 RPROMPT RPS1 SPROMPT
    PROMPT_EOL_MARK MAIL MAILPATH MAILCHECK BAUD baud COLUMNS LINES DIRSTACKSIZE LISTMAX LOGCHECK PERIOD REPORTTIME
    REPORTMEMORY KEYTIMEOUT HISTSIZE SAVEHIST HISTFILE HISTCMD TMOUT SECONDS RANDOM SRANDOM OPTIND UID EUID GID EGID ERRNO
    SHLVL CDPATH GLOBIGNORE EXECIGNORE FIGNORE FPATH MODULE_PATH NULLCMD READNULLCMD ZDOTDIR STTY TMPPREFIX POSTEDIT WATCH
    WATCHFMT HISTEDIT FCEDIT INPUTRC HOSTFILE POSIXLY_CORRECT EXECSHELL KSH_VERSION PSModulePath COMMAND_NOT_FOUND_HANDLER
    precmd_functions chpwd_functions zsh_eval_context zle_highlight aliases functions commands options status
    fish_function_path fish_complete_path fish_key_bindings fish_greeting fish_user_paths __fish_data_dir`,
  interpreters: `NODE_OPTIONS NODE_PATH NODE_REPL_EXTERNAL_MODULE NODE_V8_COVERAGE NODE_COMPILE_CACHE ELECTRON_RUN_AS_NODE
    NPM_CONFIG_REGISTRY npm_config_script_shell npm_config_node_options BUN_OPTIONS BUN_BE_BUN BUN_INSPECT BUN_INSPECT_PRELOAD
    BUN_INSTALL DENO_DIR DENO_CERT PYTHONPATH PYTHONSTARTUP PYTHONHOME PYTHONINSPECT PYTHONWARNINGS PYTHONBREAKPOINT
    PYTHONUSERBASE PYTHONEXECUTABLE PIP_INDEX_URL VIRTUAL_ENV PERL5OPT PERL5LIB PERL5DB PERLLIB PERLIO_DEBUG RUBYOPT RUBYLIB
    GEM_HOME GEM_PATH BUNDLE_GEMFILE JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS IBM_JAVA_OPTIONS JAVA_OPTS JAVA_HOME
    CLASSPATH MAVEN_OPTS GRADLE_OPTS DOTNET_STARTUP_HOOKS DOTNET_ADDITIONAL_DEPS DOTNET_ROOT COMPlus_Anything
    CORECLR_ENABLE_PROFILING CORECLR_PROFILER CORECLR_PROFILER_PATH_64 COR_ENABLE_PROFILING COR_PROFILER COR_PROFILER_PATH
    MONO_PATH PHPRC PHP_INI_SCAN_DIR LUA_PATH LUA_CPATH LUA_INIT LUA_INIT_5_4 LUA_PATH_5_4 R_PROFILE_USER JULIA_LOAD_PATH
    ERL_FLAGS GOFLAGS GOPROXY RUSTC_WRAPPER RUSTFLAGS CARGO_HOME CARGO_TARGET_X_RUNNER MAKEFLAGS MAKEFILES CC`,
  programs: `GIT_SSH GIT_SSH_COMMAND GIT_ASKPASS GIT_EDITOR GIT_PAGER GIT_EXTERNAL_DIFF GIT_PROXY_COMMAND GIT_EXEC_PATH
    GIT_CONFIG GIT_CONFIG_GLOBAL GIT_CONFIG_COUNT GIT_CONFIG_KEY_0 GIT_CONFIG_PARAMETERS GIT_DIR GIT_WORK_TREE
    GIT_TEMPLATE_DIR GIT_SEQUENCE_EDITOR GIT_SSL_NO_VERIFY GIT_TRACE EDITOR VISUAL KUBE_EDITOR PAGER MANPAGER SYSTEMD_PAGER
    LESS LESSOPEN LESSCLOSE BROWSER SSH_ASKPASS SUDO_ASKPASS SSH_SK_PROVIDER VIMINIT EXINIT MANOPT TERMINFO TERMCAP
    TAR_OPTIONS FZF_DEFAULT_COMMAND BORG_PASSCOMMAND RESTIC_PASSWORD_COMMAND ANSIBLE_CONFIG DIRENV_DIFF OPENSSL_CONF
    OPENSSL_MODULES OPENSSL_ENGINES COMSPEC PATHEXT`,
  places: `AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE AWS_ENDPOINT_URL AWS_ENDPOINT_URL_KMS AWS_ENDPOINT_URL_DYNAMODB
    AWS_CA_BUNDLE AWS_WEB_IDENTITY_TOKEN_FILE AWS_CONTAINER_CREDENTIALS_FULL_URI AWS_CONTAINER_CREDENTIALS_RELATIVE_URI
    AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE AWS_EC2_METADATA_SERVICE_ENDPOINT AWS_DATA_PATH AWS_PAGER AWS_PROFILE
    AWS_DEFAULT_PROFILE HTTP_PROXY https_proxy all_proxy NO_PROXY SSL_CERT_FILE SSL_CERT_DIR NODE_EXTRA_CA_CERTS
    NODE_TLS_REJECT_UNAUTHORIZED REQUESTS_CA_BUNDLE CURL_CA_BUNDLE SSLKEYLOGFILE KRB5_CONFIG DOCKER_HOST DOCKER_CONFIG
    KUBECONFIG GOOGLE_APPLICATION_CREDENTIALS GNUPGHOME SSH_AUTH_SOCK DBUS_SESSION_BUS_ADDRESS GITHUB_ENV GITHUB_PATH
    GITHUB_OUTPUT GITHUB_WORKSPACE RUNNER_TEMP ACTIONS_RUNTIME_URL CREDSTASH_LOCAL CREDSTASH_DEFAULT_TABLE CREDSTASH_CIPHER
    CREDSTASH_TRUSTED_KEYS CREDSTASH_FORMATS CREDSTASH_CODE_CACHE`,
  identity: `HOME USER LOGNAME USERNAME SHELL PWD OLDPWD TMPDIR TMP TEMP HOSTNAME TERM XDG_CONFIG_HOME XDG_DATA_DIRS
    XDG_RUNTIME_DIR GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL SUDO_USER USERPROFILE APPDATA SystemRoot`,
};

/** What people keep as secrets, and beside them. */
const FREE =
  words(`DB_PASSWORD DB_USER DB_HOST DB_PORT DB_NAME PASSWORD TOKEN SECRET KEY API_KEY AUTH_TOKEN JWT_SECRET URL HOST
  PORT NAME EMAIL DATABASE DATABASE_URL REDIS_URL MONGO_URI SENTRY_DSN SECRET_KEY_BASE SESSION_SECRET ENCRYPTION_KEY
  PRIVATE_KEY PUBLIC_KEY CERT CERTIFICATE TLS_KEY TLS_CERT SSL_KEY SSL_CERT SSH_KEY SSH_PRIVATE_KEY GPG_PRIVATE_KEY
  GPG_PASSPHRASE AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_REGION AWS_DEFAULT_REGION AWS_ROLE_ARN
  AWS_ACCOUNT_ID AWS_S3_BUCKET AWS_BEARER_TOKEN_BEDROCK AWS_CONTAINER_AUTHORIZATION_TOKEN GITHUB_TOKEN GH_TOKEN GITLAB_TOKEN
  GIT_TOKEN GIT_PASSWORD GIT_USERNAME NPM_TOKEN NODE_AUTH_TOKEN NPM_CONFIG__AUTH NPM_CONFIG__AUTHTOKEN YARN_NPM_AUTH_TOKEN
  CARGO_REGISTRY_TOKEN CARGO_REGISTRIES_MY_TOKEN GEM_HOST_API_KEY RUBYGEMS_API_KEY BUNDLE_GEMS__CONTRIBSYS__COM NUGET_API_KEY
  COMPOSER_AUTH DENO_AUTH_TOKENS BUN_AUTH_TOKEN POETRY_PYPI_TOKEN_PYPI UV_PUBLISH_TOKEN TWINE_PASSWORD HOMEBREW_GITHUB_API_TOKEN
  DOCKER_PASSWORD DOCKER_USERNAME DOCKER_AUTH_CONFIG RUNNER_TOKEN PGPASSWORD PGUSER PGHOST PGDATABASE MYSQL_PWD
  MYSQL_ROOT_PASSWORD RABBITMQ_DEFAULT_PASS LD_SDK_KEY LAUNCHDARKLY_SDK_KEY STRIPE_SECRET_KEY SLACK_WEBHOOK_URL
  TWILIO_AUTH_TOKEN SENDGRID_API_KEY OPENAI_API_KEY ANTHROPIC_API_KEY AZURE_CLIENT_ID AZURE_CLIENT_SECRET
  GOOGLE_CLIENT_SECRET CLOUDFLARE_API_TOKEN VAULT_TOKEN VAULT_ADDR KUBE_TOKEN TF_VAR_DB_PASSWORD TF_TOKEN_APP_TERRAFORM_IO
  BORG_PASSPHRASE RESTIC_PASSWORD ANSIBLE_BECOME_PASSWORD JAVA_KEYSTORE_PASSWORD SSH_PASSPHRASE MAIL_PASSWORD SMTP_PASSWORD
  NODE_ENV RAILS_ENV APP_ENV LOG_LEVEL DEBUG VERSION STATUS OPTIONS COMMANDS FUNCTIONS HISTORY ALIASES MODULES SIGNALS
  PARAMETERS WORDS ID LABEL REGION BUCKET QUEUE TOPIC ISSUER CLIENT_ID CLIENT_SECRET CI_NPM_TOKEN PATH_PREFIX USER_ID_SALT
  HOME_URL SHELLY_KEY LESSON_KEY PYTHIA_KEY`);

describe.each(Object.entries(RESERVED))('variables of %s', (_, names) => {
  it.each(words(names))('%s is reserved for every command that makes variables', (variable) => {
    expect(describeReserved(variable)).toMatch(/^is a variable that [a-z, ]+$/);
    const one = secrets({ [variable]: 'zQ7' });
    for (const format of [formatShell, formatFish, formatDocker, formatGithub]) {
      // What a format cannot hold anyway, it refuses before.
      expect(() => format(one, { rawNames: true })).toThrow(CredstashError);
    }
    expect(() => formatDocker(one, { rawNames: true })).toThrow(
      expect.objectContaining({
        failures: [{ name: variable, error: expect.any(ReservedVariable) as Error }],
      }) as Error,
    );
    expect(formatDocker(one, { rawNames: true, allowName: [variable] })).toBe(`${variable}=zQ7\n`);
  });
});

describe('a variable that people keep as a secret', () => {
  it.each(FREE)('%s can be set by a pattern', (variable) => {
    expect(refuseReserved(variable)).toBeUndefined();
    // The runner itself refuses some.
    const formats = /^(?:GITHUB|RUNNER)_/.test(variable)
      ? [formatShell, formatFish, formatDocker]
      : [formatShell, formatFish, formatDocker, formatGithub];
    for (const format of formats) {
      expect(format(secrets({ [variable]: 'x' }))).toContain(variable);
    }
    const set = buildEnvironment(
      {},
      [{ name: `a.${variable}`, glob: 'a.*', value: Buffer.from('x') }],
      {
        override: true,
      },
    );
    expect(set).toEqual({ [variable]: 'x' });
  });
});

describe('exec GLOB', () => {
  const of = (
    variable: string,
    options: { allowName?: string[]; override?: boolean; prefix?: string; glob?: string } = {},
    base: Readonly<Record<string, string>> = {},
  ): object => {
    const { glob = 'app.*', override = true, ...names } = options;
    const name = `app.${variable}`;
    return {
      ...buildEnvironment(base, [{ name, glob, value: Buffer.from('x') }], { override, ...names }),
    };
  };

  it('refuses a reserved variable, whatever its prefix makes of it, unless it is allowed', () => {
    const refused = (build: () => unknown): void => {
      expect(build).toThrow(
        expect.objectContaining({
          failures: [
            { name: expect.any(String) as string, error: expect.any(ReservedVariable) as Error },
          ],
        }) as Error,
      );
    };
    refused(() => of('path'));
    refused(() => of('preload', { prefix: 'LD_' }));
    refused(() => of('ath', { prefix: 'P' }));
    refused(() => of('path', { allowName: ['HOME', 'path'] }));
    expect(of('path', { allowName: ['PATH'] })).toEqual({ PATH: 'x' });
    expect(of('path', { prefix: 'APP_' })).toEqual({ APP_PATH: 'x' });
    expect(of('2fa', { prefix: 'APP_' })).toEqual({ APP_2FA: 'x' });
  });

  it('sets one that somebody wrote down: by a name without *, by --env, by a reference', () => {
    expect(
      buildEnvironment({}, [{ name: 'path', value: Buffer.from('x') }], { override: true }),
    ).toEqual({ PATH: 'x' });
    const literal = { name: 'app.x', variable: 'PATH', value: Buffer.from('x') };
    expect(buildEnvironment({}, [literal], { override: true, prefix: 'APP_' })).toEqual({
      PATH: 'x',
    });
    expect(buildEnvironment({}, [], { override: true, resolved: [literal] })).toEqual({
      PATH: 'x',
    });
    // So --env names one that a GLOB matches too.
    const matched = { name: 'app.x', glob: 'app.*', value: Buffer.from('x') };
    expect(
      buildEnvironment({}, [{ ...literal, variable: 'X' }, matched], { override: true }),
    ).toEqual({ X: 'x' });
  });

  it('with --no-override leaves alone what the environment has', () => {
    expect(of('user', { override: false }, { USER: 'me' })).toEqual({ USER: 'me' });
    expect(() => of('user', { override: false })).toThrow(CredstashError);
  });
});

it('dotenv prints every name', () => {
  const names = Object.values(RESERVED)
    .flatMap(words)
    .filter((name) => /^\w+$/.test(name));
  const printed = formatDotenv(secrets(names.map((name) => [name, 'x'] as const)), {
    rawNames: true,
  });
  expect(printed.split('\n').filter(Boolean)).toHaveLength(new Set(names).size);
});

it('every setting of the AWS SDK that names a file, a folder, a server or a profile is reserved', () => {
  const named = new Set<string>();
  for (const scope of ['@aws-sdk', '@smithy']) {
    const folder = join(root, 'node_modules', scope);
    for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      if (!/dist-cjs.*\.js$/.test(file)) continue;
      for (const [name] of readFileSync(join(folder, file), 'utf8').matchAll(/\bAWS_[A-Z0-9_]+/g))
        named.add(name);
    }
  }
  const places = [...named].filter((name) =>
    /(?:FILE|DIRECTORY|URI|URL|URLS|ENDPOINT|PROFILE|BUNDLE)$/.test(name),
  );
  expect(places.length).toBeGreaterThan(5);
  expect(places.filter((name) => describeReserved(name) === undefined)).toEqual([]);
});

it('every variable of our own is reserved', () => {
  const own = new Set<string>();
  for (const file of readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    const text = readFileSync(join(root, 'src', file), 'utf8');
    for (const [, name = ''] of text.matchAll(/process\.env\[?['.]?(CREDSTASH_\w+)/g))
      own.add(name);
  }
  expect(own.size).toBeGreaterThan(2);
  expect([...own].filter((name) => describeReserved(name) === undefined)).toEqual([]);
});

/** What an interpreter's own help says that it reads, but for what changes no more than what it prints. */
const HELPS = [
  [
    ['node', '--help'],
    /^(NODE_[A-Z0-9_]+)/gm,
    [
      'NODE_DISABLE_COLORS',
      'NODE_NO_WARNINGS',
      'NODE_PENDING_PIPE_INSTANCES',
      'NODE_SKIP_PLATFORM_CHECK',
    ],
  ],
  [['sh', '-c', 'python3 --help-env || python3 --help'], /^(PYTHON[A-Z0-9]+)/gm, []],
] as const;

for (const [[program, ...args], pattern, harmless] of HELPS) {
  describeUnless(programMissing(program, ...args), `what ${args.at(-1)} says is read`, () => {
    it('is reserved', () => {
      const help = execFileSync(program, args, { encoding: 'utf8' });
      const all = [...help.matchAll(pattern)].map(([, name = '']) => name);
      expect(all.length).toBeGreaterThan(3);
      const free = all.filter((name) => describeReserved(name) === undefined);
      expect(free.filter((name) => !(harmless as readonly string[]).includes(name))).toEqual([]);
    });
  });
}

describeUnless(programMissing('git', '--version'), 'the programs that git runs', () => {
  it('are named by reserved variables', () => {
    const folder = execFileSync('git', ['--exec-path'], { encoding: 'utf8' }).trim();
    const text = readFileSync(join(folder, 'git'), 'latin1');
    const all = new Set(
      [...text.matchAll(/\0(GIT_[A-Z0-9_]+)(?=\0)/g)].map(([, name = '']) => name),
    );
    expect(all.size).toBeGreaterThan(50);
    const decides = [...all].filter((name) =>
      /(?:ASKPASS|COMMAND|CONFIG|DIR|EDITOR|EXTERNAL_DIFF|FILE|GLOBAL|PAGER|PARAMETERS|PATH|SSH|SYSTEM|TREE|VIEWER)$/.test(
        name,
      ),
    );
    expect(decides.length).toBeGreaterThan(15);
    expect(decides.filter((name) => describeReserved(name) === undefined)).toEqual([]);
  });
});
