// Job: compresses one frame of a pack.
import { hash } from 'node:crypto'
import { canBeBase, packFrame } from '../frame.ts'
import { release } from '../memory.ts'
import { type Content, readContent, type Slices } from './content.ts'

export interface PackContentJob {
  readonly content: Slices
  /** What serves as dictionary. */
  readonly base?: Content | undefined
}

export interface PackedFrame {
  readonly packed: Uint8Array
  /** Of the packed bytes. */
  readonly sha256: Uint8Array
  readonly lengthBytes: number
  /** Whether the base was used: content that looks like a dictionary of zstd cannot be one. */
  readonly isBased: boolean
}

/** Errors: BUILD_CHANGED, BUNDLE_INVALID if the base is not what it should be, PERMISSION, IO. */
export const packContent = ({ content, base }: PackContentJob): PackedFrame => {
  const bytes = readContent(content, 'content')
  const dictionary = base === undefined ? undefined : readContent(base, 'base')
  const isBased = dictionary !== undefined && canBeBase(dictionary)
  const packed = packFrame(bytes, isBased ? dictionary : undefined)
  release(dictionary)
  return { packed, sha256: hash('sha256', packed, 'buffer'), lengthBytes: bytes.length, isBased }
}
