// The options of a developer's command, after `npm run … --`. `--help` prints them; what is wrong is said in a line, and ends with 2.
import { parseArgs } from 'node:util'
import { EXIT_CODES } from '@updraft/core/errors'

export interface OptionsAsked<Numbers extends string, Texts extends string, Flags extends string> {
  /** By name, with what holds if nothing is said; 0 or more. */
  readonly numbers?: Readonly<Record<Numbers, number>>
  readonly texts?: readonly Texts[]
  readonly flags?: readonly Flags[]
  readonly positionals?: boolean
}

type Options<Numbers extends string, Texts extends string, Flags extends string> = Readonly<Record<Numbers, number>> &
  Readonly<Record<Texts, string | undefined>> &
  Readonly<Record<Flags, boolean>> & { readonly positionals: readonly string[] }

/** Of this process. Ends it after `--help`, and for an option or a number that is none. */
export const optionsOf = <Numbers extends string = never, Texts extends string = never, Flags extends string = never>(
  usage: string,
  asked: OptionsAsked<Numbers, Texts, Flags>,
): Options<Numbers, Texts, Flags> => {
  const result = parseOptions(process.argv.slice(2), asked)
  if (result === 'help') {
    process.stdout.write(`${usage.trim()}\n`)
    process.exit(0)
  }
  if ('wrong' in result) {
    process.stderr.write(`error: ${result.wrong}\n\n${usage.trim()}\n`)
    process.exit(EXIT_CODES.usage)
  }
  return result
}

/** Pure. */
export const parseOptions = <
  Numbers extends string = never,
  Texts extends string = never,
  Flags extends string = never,
>(
  args: readonly string[],
  { numbers, texts = [], flags = [], positionals = false }: OptionsAsked<Numbers, Texts, Flags>,
): Options<Numbers, Texts, Flags> | 'help' | { readonly wrong: string } => {
  const named = (names: readonly string[], type: 'string' | 'boolean') => names.map((name) => [name, { type }] as const)
  const presets = Object.entries<number>(numbers ?? ({} as Readonly<Record<Numbers, number>>))
  const options = Object.fromEntries([
    ...named([...presets.map(([name]) => name), ...texts], 'string'),
    ...named([...flags, 'help'], 'boolean'),
  ])
  try {
    const parsed = parseArgs({ args: [...args], options, allowPositionals: positionals })
    if (parsed.values.help === true) return 'help'
    const values: Record<string, unknown> = { ...parsed.values, positionals: parsed.positionals }
    for (const flag of flags) values[flag] ??= false
    for (const [name, preset] of presets) {
      const text = parsed.values[name] ?? String(preset)
      const value = typeof text === 'string' && /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
      if (Number.isNaN(value)) return { wrong: `--${name} takes a number, not ${JSON.stringify(text)}` }
      values[name] = value
    }
    return values as Options<Numbers, Texts, Flags>
  } catch (error) {
    return { wrong: (error as Error).message }
  }
}
