// First releases, each made for one rule of docs/bundle-format.md, and the frames that must come of each.
import { flat, type Nodes, noise, prose } from '../core/bundle/bundle-support.ts'
import { DICTIONARY_MAGIC, MIB, near } from './bundle-chains.ts'

/** The third is most like the second, which would be based on the first if that could be a base. */
const misleading = (): Nodes => {
  const content = noise(8_300_000, 'misread')
  const second = near(content, 300)
  return { a: Buffer.concat([DICTIONARY_MAGIC, content]), b: second, c: near(second, 9000, 7) }
}

/** A full frame, and another of which a part is like it. */
const sharing = (part: number): Nodes => {
  const content = noise(8 * MIB, 'shared')
  const lengthBytes = Math.floor(part * content.length)
  return {
    a: content,
    b: Buffer.concat([near(content.subarray(0, lengthBytes), 9000), noise(8 * MIB - lengthBytes, 'own')]),
  }
}

/** A full frame, and a few bytes of it. */
const windowOf = (end: number, lengthBytes: number): Nodes => {
  const content = noise(8 * MIB, 'window')
  return { a: content, z: content.subarray(end - lengthBytes, end) }
}

/** Content in which nothing comes again, and then a part of it once more. */
const flatWith = (repeatedBytes: number): Nodes => {
  const content = flat(2 * MIB, 'flat')
  return { a: Buffer.concat([content, Buffer.from('-'), content.subarray(0, repeatedBytes)]) }
}

/** Where the sum over the last 32 bytes begins with nine zero bits, that over the last 31 too; and where with eight only. */
const NINE_BITS_AT = 1398
const EIGHT_BITS_AT = 205

const ALONE = ['made of new', 'made of new']
const BASED = ['made of new', 'made of new on 0']

export const FIRST_RELEASES: readonly (readonly [what: string, make: () => Nodes, frames: readonly string[]])[] = [
  ['nothing but an empty file', () => ({ empty: '' }), []],
  ['flat content', () => flatWith(0), ['made of new']],
  ['flat content of which a part comes again', () => flatWith(300_000), ['made of new']],
  ['frames that are similar', () => ({ a: prose(17_000_000, 'long') }), [...BASED, 'made of new on 0']],
  ['frames similar to one that cannot be a base', misleading, [...ALONE, 'made of new']],
  ['frames with 22 % of their samples in common', () => sharing(0.22), ALONE],
  ['frames with 28 % of their samples in common', () => sharing(0.28), BASED],
  ['a frame of 32 bytes, which are a sample', () => windowOf(NINE_BITS_AT, 32), BASED],
  ['a frame of 31 bytes, which are none', () => windowOf(NINE_BITS_AT, 31), ALONE],
  ['a frame of 32 bytes of which the sum has eight zero bits', () => windowOf(EIGHT_BITS_AT, 32), ALONE],
]
