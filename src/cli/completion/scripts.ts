/*
 * The completion script of each shell. The hidden command `complete` finds the possible words. It answers in lines: `files`
 * and the part of the word before the file, or `words` and a line for each word, with its description after a tab. The
 * scripts run the credstash in the PATH, never the program on the line, which the user has not run yet. Its stdin and
 * stderr are not the terminal.
 */

/**
 * readline gets the quoted replacement for the end of the line (bash-line.ts). bash 3.2 lacks `compopt`, and so completes no
 * files.
 */
const bash = `# bash completion for credstash
_credstash() {
  local line mode=''
  COMPREPLY=()
  while IFS= read -r line; do
    case $mode in
      '') mode=$line ;;
      *) COMPREPLY+=("$line") ;;
    esac
  done <<<"$(exec 2>/dev/null </dev/null
    command credstash __complete bash -- "\${COMP_LINE:0:COMP_POINT}" "$2")"
  case $mode in
    files*) compopt -o default 2>/dev/null ;;
  esac
  # The value follows the =, and the files follow the folder.
  if [[ \${#COMPREPLY[@]} -eq 1 ]]; then
    case \${COMPREPLY[0]} in
      --*= | @*/) compopt -o nospace 2>/dev/null ;;
    esac
  fi
  return 0
}
complete -F _credstash credstash
`;

/** `compadd` quotes the words and selects those that match, as the user has configured it. */
const zsh = `#compdef credstash
# zsh completion for credstash
_credstash() {
  emulate -L zsh
  local -a lines values shown attached
  local line
  lines=("\${(@f)$(exec 2>/dev/null </dev/null
    command credstash __complete zsh -- "\${(@Q)words[2,CURRENT-1]}" "\${(Q)PREFIX}")}")
  case $lines[1] in
    files*)
      compset -P "\${(b)\${lines[1]#files$'\\t'}}"
      _files
      return
      ;;
  esac
  for line in "\${(@)lines[2,-1]}"; do
    if [[ $line == --*=$'\\t'* ]]; then
      attached+=("\${line%%$'\\t'*}")
      continue
    fi
    values+=("\${line%%$'\\t'*}")
    if [[ $line == *$'\\t'?* ]]; then
      shown+=("\${line%%$'\\t'*}  -- \${line#*$'\\t'}")
    else
      shown+=("\${line%%$'\\t'*}")
    fi
  done
  compadd -S '' -a attached
  if [[ "$shown" == *'  -- '* ]]; then
    compadd -l -d shown -a values
  else
    compadd -a values
  fi
}
# In a file of the fpath this is the function; if sourced, register it.
if [[ $funcstack[1] == _credstash ]]; then
  _credstash "$@"
elif (( $+functions[compdef] )); then
  compdef _credstash credstash
fi
`;

/** fish quotes the words and selects those that match. */
const fish = `# fish completion for credstash
function __credstash_complete
    set -l words (commandline -opc)
    set -e words[1]
    # Without its quotes, of which the last may still be open.
    set -l raw (commandline -ct)
    set -l current (string unescape -- "$raw"; or string unescape -- "$raw'"; or string unescape -- "$raw\\"")
    set -l lines (command credstash __complete fish -- $words "$current" 2>/dev/null </dev/null)
    if string match -q 'files*' -- "$lines[1]"
        set -l prefix (string replace -r '^files\\t' '' -- $lines[1])
        set -l path (string sub -s (math 1 + (string length -- "$prefix")) -- "$current")
        for file in (__fish_complete_path "$path")
            printf '%s%s\\n' "$prefix" $file
        end
    else if set -q lines[2]
        printf '%s\\n' $lines[2..-1]
    end
end
complete -c credstash -f -a '(__credstash_complete)'
`;

export const SCRIPTS = { bash, zsh, fish } as const;
