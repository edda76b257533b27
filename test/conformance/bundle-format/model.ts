// What an index says, in memory. Digests are SHA-256 in hexadecimal.
export const MIB = 1024 * 1024
export const GIB = 1024 * MIB
export const FRAME_BYTES = 8 * MIB

export interface Frame {
  readonly digest: string
  readonly packedBytes: number
  readonly lengthBytes: number
  /** The number of the frame whose content is the dictionary. */
  readonly base: number | undefined
  /** The number of the first of its chunks, and how many they are. */
  readonly firstChunk: number
  readonly chunkCount: number
  /** Where it begins in the pack. */
  readonly packOffset: number
}

export interface Chunk {
  readonly digest: string
  readonly lengthBytes: number
  readonly frame: number
  /** Where it begins in the content of its frame. */
  readonly offset: number
}

export type Entry =
  | {
      readonly kind: 'file'
      readonly path: string
      readonly isExecutable: boolean
      readonly chunks: readonly number[]
      /** Only of a file of two chunks or more. */
      readonly digest: string | undefined
    }
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }

export interface BundleIndex {
  readonly frames: readonly Frame[]
  readonly chunks: readonly Chunk[]
  readonly entries: readonly Entry[]
}

/** A bundle as its two files. */
export interface Bundle {
  readonly index: Buffer
  readonly pack: Buffer
}

/** What the index has at a number; the number was checked when the index was read. */
export const at = <T>(list: readonly T[], number: number): T => {
  const item = list[number]
  if (item === undefined) throw new Error(`there is no number ${number}`)
  return item
}

export const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0)

export const assert = (holds: boolean, fault: string): void => {
  if (!holds) throw new Error(fault)
}
