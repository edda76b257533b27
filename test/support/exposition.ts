// Reads the text format of Prometheus as strictly as its description allows, so that a test compares numbers, not text.

export interface Exposition {
  /** Of the one sample with exactly these labels; undefined if there is none. */
  valueAt(name: string, labels?: Readonly<Record<string, string>>): number | undefined
  readonly types: ReadonlyMap<string, string>
}

/**
 * Throws at a line that is none of the format, at a sample without HELP and TYPE before it, and at one that stands twice.
 *
 * Source: Prometheus, "Exposition formats", text 0.0.4.
 */
export const parseExposition = (text: string): Exposition => {
  const types = new Map<string, string>()
  const helped = new Set<string>()
  const samples = new Map<string, number>()
  if (!text.endsWith('\n')) throw new Error('the last line has no end')
  for (const line of text.split('\n')) {
    const [, keyword, about = '', rest = ''] = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line) ?? []
    if (keyword === 'HELP') helped.add(about)
    else if (keyword === 'TYPE') types.set(about, rest)
    else if (line !== '') {
      const [, name = '', labels = '', value = ''] = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
      if (!helped.has(name) || !types.has(name)) throw new Error(`not a sample of a described metric: ${line}`)
      const key = keyOf(name, labelsIn(labels))
      if (samples.has(key)) throw new Error(`twice: ${line}`)
      if (Number.isNaN(Number(value))) throw new Error(`not a number: ${line}`)
      samples.set(key, Number(value))
    }
  }
  return { types, valueAt: (name, labels = {}) => samples.get(keyOf(name, labels)) }
}

const labelsIn = (text: string): Record<string, string> => {
  const labels: Record<string, string> = {}
  let rest = text
  while (rest !== '') {
    const [whole, name = '', value = ''] = /^([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/.exec(rest) ?? []
    if (whole === undefined) throw new Error(`not labels: ${rest}`)
    labels[name] = value.replaceAll(/\\(["\\n])/g, (_, escaped) => (escaped === 'n' ? '\n' : escaped))
    rest = rest.slice(whole.length)
  }
  return labels
}

const keyOf = (name: string, labels: Readonly<Record<string, string>>): string =>
  `${name} ${JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)))}`
