// Completion of a command line for bash, zsh and fish, as text made from the program's own tree of commands: what the program
// does not know is never offered. Runs nothing, and the scripts never call the program, so that Tab costs nothing.

export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

/** What is needed of a command; commander's are such. */
export interface CommandTree {
  name(): string
  description(): string
  readonly commands: readonly CommandTree[]
  readonly options: readonly CommandOption[]
  readonly registeredArguments: readonly { readonly argChoices?: readonly string[] }[]
}

export interface CommandOption {
  readonly short?: string | undefined
  readonly long?: string | undefined
  readonly description: string
  /** It is followed by a value, which must or may be there. */
  readonly required: boolean
  readonly optional: boolean
  readonly argChoices?: readonly string[]
  readonly hidden: boolean
}

/** How to make a shell read the script, for `--help`. */
export const completionHelp = (program: string): string => `
Examples:
  $ source <(${program} completion bash)
  $ ${program} completion zsh > ~/.zfunc/_${program}            (with ~/.zfunc in $fpath)
  $ ${program} completion fish > ~/.config/fish/completions/${program}.fish`

/** The script that the shell has to read; `program` is the root of the tree. */
export const completionScript = (program: CommandTree, shell: Shell): string => {
  const name = program.name()
  const places = placesOf(program)
  switch (shell) {
    case 'bash':
      return bashScript(name, places)
    case 'zsh':
      return zshScript(name, places)
    case 'fish':
      return fishScript(name, places)
  }
}

interface Offer {
  readonly word: string
  readonly description: string
}

/** One command, and what may follow it. */
interface Place {
  /** `/service/install`; empty for the program itself. */
  readonly path: string
  readonly commands: readonly Offer[]
  readonly flags: readonly Flag[]
  /** Values that the command's arguments are limited to. */
  readonly choices: readonly string[]
  readonly takesArguments: boolean
}

interface Flag extends Offer {
  readonly spellings: readonly string[]
  /** Undefined for a flag without a value; empty if any value will do. */
  readonly values: readonly string[] | undefined
}

const placesOf = (command: CommandTree, path = ''): readonly Place[] => [
  {
    path,
    commands: command.commands.map((child) => ({ word: child.name(), description: child.description() })),
    flags: [...command.options.filter(({ hidden }) => !hidden).map(flagOf), HELP],
    choices: command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices),
    takesArguments: command.registeredArguments.length > 0,
  },
  ...command.commands.flatMap((child) => placesOf(child, `${path}/${child.name()}`)),
]

const flagOf = ({ short, long, description, required, optional, argChoices }: CommandOption): Flag => {
  const spellings = [long, short].filter((spelling) => spelling !== undefined)
  return {
    word: spellings[0] ?? '',
    spellings,
    description,
    values: required || optional ? (argChoices ?? []) : undefined,
  }
}

/** Commander adds it to every command by itself. */
const HELP: Flag = { word: '--help', spellings: ['--help', '-h'], description: 'show help', values: undefined }

/** What is offered where no flag is being written. */
const wordsAt = ({ commands, choices }: Place): readonly Offer[] => [
  ...commands,
  ...choices.map((word) => ({ word, description: '' })),
]

const functionOf = (name: string): string => `_${name.replaceAll('-', '_')}`
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
const plain = (offers: readonly Offer[]): string => quoted(offers.map(({ word }) => word).join(' '))
const subcommandPaths = (places: readonly Place[]): readonly string[] =>
  places.filter(({ path }) => path !== '').map(({ path }) => path)

/** `PATH FLAG` of every flag with a value: by whether the values are known. */
const valuePatterns = (places: readonly Place[]) => {
  const all = places.flatMap(({ path, flags }) =>
    flags.flatMap(({ spellings, values }) =>
      values === undefined ? [] : [{ pattern: spellings.map((it) => quoted(`${path} ${it}`)).join('|'), values }],
    ),
  )
  return { known: all.filter(({ values }) => values.length > 0), any: all.filter(({ values }) => values.length === 0) }
}

/** Source: bash(1), "Programmable Completion". `-o default` offers files where the function has nothing. */
const bashScript = (name: string, places: readonly Place[]): string => {
  const { known, any } = valuePatterns(places)
  return `# Completion of ${name} for bash: source <(${name} completion bash)
${functionOf(name)}() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} place='' words='' flags='' index
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "$place/\${COMP_WORDS[index]}" in
      ${subcommandPaths(places).join('|')}) place="$place/\${COMP_WORDS[index]}" ;;
    esac
  done
  case "$place $previous" in
${known.map(({ pattern, values }) => `    ${pattern}) COMPREPLY=($(compgen -W ${quoted(values.join(' '))} -- "$current")); return ;;`).join('\n')}
${any.map(({ pattern }) => `    ${pattern}) return ;;`).join('\n')}
  esac
  case "$place" in
${places.map((place) => `    ${quoted(place.path)}) words=${plain(wordsAt(place))} flags=${plain(place.flags)} ;;`).join('\n')}
  esac
  case "$current" in
    -*) words=$flags ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F ${functionOf(name)} ${name}`
}

/** Source: zshcompsys(1), "Completion Functions". */
const zshScript = (name: string, places: readonly Place[]): string => {
  const { known, any } = valuePatterns(places)
  const described = (offers: readonly Offer[]): string =>
    offers.map(({ word, description }) => quoted(description === '' ? word : `${word}:${description}`)).join(' ')
  return `#compdef ${name}
# Completion of ${name} for zsh: source <(${name} completion zsh), or as _${name} in a folder of $fpath
${functionOf(name)}() {
  local place='' word
  local -a offers
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$place/$word" in
      (${subcommandPaths(places).join('|')}) place="$place/$word" ;;
    esac
  done
  case "$place \${words[CURRENT-1]}" in
${known.map(({ pattern, values }) => `    (${pattern}) compadd -- ${values.join(' ')}; return ;;`).join('\n')}
${any.map(({ pattern }) => `    (${pattern}) _files; return ;;`).join('\n')}
  esac
  if [[ \${words[CURRENT]} == -* ]]; then
    case "$place" in
${places.map(({ path, flags }) => `      (${quoted(path)}) offers=(${described(flags)}) ;;`).join('\n')}
    esac
  else
    case "$place" in
${places.map((place) => `      (${quoted(place.path)}) offers=(${described(wordsAt(place))}) ;;`).join('\n')}
    esac
  fi
  if (( \${#offers} )); then _describe ${quoted(name)} offers; else _files; fi
}
if [[ "\${funcstack[1]}" == ${functionOf(name)} ]]; then ${functionOf(name)} "$@"; else compdef ${functionOf(name)} ${name}; fi`
}

/** Source: fish, complete(1). */
const fishScript = (name: string, places: readonly Place[]): string => {
  const at = `_${functionOf(name)}_at`
  const line = (path: string, ...parts: readonly string[]) =>
    [
      'complete',
      '-c',
      name,
      '-n',
      fishQuoted(`${at} ${fishQuoted(path)}`),
      ...parts.filter((part) => part !== ''),
    ].join(' ')
  const about = (description: string) => (description === '' ? '' : `-d ${fishQuoted(description)}`)
  return `# Completion of ${name} for fish: ${name} completion fish | source
function ${at}
  set -l place ''
  for word in (commandline -opc)[2..]
    switch "$place/$word"
      case ${subcommandPaths(places).map(fishQuoted).join(' ')}
        set place "$place/$word"
    end
  end
  test "$place" = "$argv[1]"
end
complete -c ${name} -f
${places
  .flatMap((place) => [
    ...wordsAt(place).map(({ word, description }) => line(place.path, '-a', fishQuoted(word), about(description))),
    ...(place.takesArguments && place.choices.length === 0 ? [line(place.path, '-F')] : []),
    ...place.flags.map(({ spellings, values, description }) =>
      line(
        place.path,
        ...spellings.map((it) => (it.startsWith('--') ? `-l ${it.slice(2)}` : `-s ${it.slice(1)}`)),
        values === undefined ? '' : values.length === 0 ? '-rF' : `-xa ${fishQuoted(values.join(' '))}`,
        about(description),
      ),
    ),
  ])
  .join('\n')}`
}

/** In fish's single quotes only these two mean anything. */
const fishQuoted = (text: string): string => `'${text.replaceAll(/['\\]/g, '\\$&')}'`
