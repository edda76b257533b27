// Which branches of our sources an input ran through: modules that are loaded from now on count their statements, functions
// and branches, in one array that can be read and cleared after every input.
//
// Istanbul's instrumenter is what jest itself uses for coverage. V8's own coverage costs milliseconds to read, and jazzer.js
// 4.0.0 ships a library for libc 2.38 and newer only, and builds itself otherwise.
import { registerHooks, stripTypeScriptTypes } from 'node:module'
import { fileURLToPath } from 'node:url'
import { createInstrumenter, type FileCoverage } from 'istanbul-lib-instrument'

export interface Coverage {
  /** Forgets what ran. */
  clear(): void
  /** Whether anything ran that never ran before, or far oftener than before; it has then. */
  isNew(): boolean
  /** Places that have ever run. */
  readonly reached: number
  readonly places: number
}

const PLACES_MAX = 1 << 18

/** Ours, and the few libraries that read a peer's bytes. */
const INSTRUMENTED =
  /\/(?:core|agent|publisher|extension)\/src\/|\/node_modules\/(?:bittorrent-protocol|bencode|ut_metadata|ut_pex|lt_donthave)\//

/** To be called before the target is loaded. */
export const watchCoverage = (): Coverage => {
  const counts = new Uint32Array(PLACES_MAX)
  /** For each place a bit for each magnitude in which it has been seen. */
  const seen = new Uint32Array(PLACES_MAX)
  let places = 0
  let reached = 0
  const take = (length: number): Uint32Array => {
    places += length
    if (places > PLACES_MAX) throw new RangeError(`more than ${PLACES_MAX} places to count`)
    return counts.subarray(places - length, places)
  }

  const all: Record<string, object> = {}
  Object.assign(globalThis, { [VARIABLE]: all })
  const instrumenter = createInstrumenter({ esModules: true, compact: true, coverageVariable: VARIABLE })
  registerHooks({
    load: (url, context, nextLoad) => {
      if (!url.startsWith('file:') || !INSTRUMENTED.test(url)) return nextLoad(url, context)
      const path = fileURLToPath(url)
      const isOurs = path.endsWith('.ts')
      const loaded = nextLoad(url, isOurs ? { ...context, format: 'module' } : context)
      if (loaded.format !== 'module') return loaded
      const text = textOf(loaded.source)
      const code = isOurs ? stripTypeScriptTypes(text) : text
      const source = instrumenter.instrumentSync(code, path)
      all[path] = counted(instrumenter.lastFileCoverage(), hashIn(source), take)
      return { ...loaded, format: 'module', source, shortCircuit: true }
    },
  })

  return {
    clear: () => void counts.fill(0, 0, places),
    isNew: () => {
      let isNew = false
      for (let place = 0; place < places; place += 1) {
        const count = counts[place] ?? 0
        if (count === 0) continue
        const magnitude = 1 << (31 - Math.clz32(count))
        const before = seen[place] ?? 0
        if ((before & magnitude) !== 0) continue
        if (before === 0) reached += 1
        seen[place] = before | magnitude
        isNew = true
      }
      return isNew
    },
    get reached() {
      return reached
    },
    get places() {
      return places
    },
  }
}

const VARIABLE = '__fuzz_coverage__'

const textOf = (source: unknown): string =>
  typeof source === 'string' ? source : Buffer.from(source as Uint8Array).toString('utf8')

/** An instrumented module takes the counters that lie ready under its path, if they carry its hash. */
const counted = (file: FileCoverage, hash: string, take: (length: number) => Uint32Array): object => ({
  ...file,
  hash,
  s: take(Object.keys(file.s).length),
  f: take(Object.keys(file.f).length),
  b: Object.values(file.b).map((paths) => take(paths.length)),
})

const hashIn = (source: string): string => {
  const [, hash] = /\bhash\s*=\s*"([0-9a-f]+)"/.exec(source) ?? []
  if (hash === undefined) throw new TypeError('istanbul-lib-instrument writes its hash in another way now')
  return hash
}
