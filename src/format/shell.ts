import type { Secret } from '../entry.ts';
import { shellWord } from '../shell-word.ts';
import { envName } from './env-name.ts';
import { type FormatOptions, texts, variables } from './held.ts';

/**
 * `export NAME='value'` lines that sh, dash, bash, zsh and ksh evaluate to the same values. Between `'` nothing has a
 * meaning, so nothing in a value is run.
 *
 * The lines stand between `then` and `fi`. A shell splits `eval $(…)` without quotes into words, which changes values,
 * and `eval` joins them to one line: there `then` and `fi` are words like any other, and every shell refuses the `if`
 * that is left open. That error quotes no value: bash shows the whole line of any other, and zsh its last word.
 *
 * @param options.rawNames names as they are, instead of those that an environment takes
 * @throws CredstashError USAGE, naming each secret that this format cannot hold, or whose name is another's too
 */
export function shell(secrets: readonly Secret[], options: FormatOptions = {}): string {
  const lines = variables('shell', texts('shell', secrets), {
    rename: options.rawNames ? undefined : envName,
    refuse: (variable, value) => {
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(variable)) {
        return 'a shell takes no such name for a variable';
      }
      if (SPECIAL.has(variable)) return `${variable} is a variable that a shell keeps for itself`;
      return value.includes('\0') ? 'its value has a NUL, which no shell can hold' : undefined;
    },
  }).map(([variable, value]) => `export ${variable}=${shellWord(value)}\n`);
  return lines.length === 0 ? '' : `if :\nthen\n${lines.join('')}fi\n`;
}

/*
 * Variables that do not become what they are assigned, in bash, zsh, dash, ksh or mksh: some cannot be changed, or
 * change by themselves; some are lists; of those that are numbers, such as RANDOM, bash and mksh evaluate
 * `x[$(…)]`, and run the command in it; and prompts are evaluated when they are shown, PS4 with each traced line.
 */
const SPECIAL: ReadonlySet<string> = new Set(
  `
  PS0 PS1 PS2 PS3 PS4 PROMPT PROMPT2 PROMPT3 PROMPT4 PROMPT_COMMAND RPROMPT RPROMPT2 RPS1 RPS2 SPROMPT
  ARGC ARGV0 BASHOPTS BASHPID BASH_ALIASES BASH_ARGC BASH_ARGV BASH_CMDS BASH_COMMAND BASH_LINENO BASH_SOURCE
  BASH_SUBSHELL BASH_VERSINFO COLUMNS DIRSTACK EGID EPOCHREALTIME EPOCHSECONDS ERRNO EUID FUNCNAME FUNCNEST GID
  GROUPS HISTCHARS HISTCMD HISTSIZE JOBMAX KEYBOARD_HACK KEYTIMEOUT KSHEGID KSHGID KSHUID KSH_VERSION LINENO LINES
  LISTMAX MAILCHECK OPTIND PGRP PIPESTATUS PPID RANDOM SAVEHIST SECONDS SHELLOPTS SHLVL SRANDOM TMOUT
  TRY_BLOCK_ERROR TRY_BLOCK_INTERRUPT TTYIDLE UID USERNAME USER_ID WATCH ZLE_RPROMPT_INDENT ZSH_EVAL_CONTEXT
  ZSH_SUBSHELL _
  aliases argv builtins cdpath commands dirstack dis_aliases dis_builtins dis_functions dis_functions_source
  dis_galiases dis_patchars dis_reswords dis_saliases epochtime errnos fignore fpath funcfiletrace funcsourcetrace
  funcstack functions functions_source functrace galiases histchars history historywords jobdirs jobstates
  jobtexts keymaps langinfo mailpath manpath mapfile module_path modules nameddirs options parameters patchars
  path pipestatus psvar reswords saliases signals status sysparams termcap terminfo userdirs usergroups watch
  widgets zsh_eval_context zsh_scheduled_events
`
    .trim()
    .split(/\s+/),
);
