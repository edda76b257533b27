// Where the inputs of several targets begin: the bundles that are kept as fixtures.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const read = (name: string): Buffer => readFileSync(join(import.meta.dirname, '../../fixtures/bundle', `${name}.bin`))

export const ONE_INDEX = read('one.index')
export const TWO_INDEX = read('two.index')
export const ONE_PACK = read('one.pack')
export const TWO_PACK = read('two.pack')
export const PATCH = read('two-after-one.patch')
