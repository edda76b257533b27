// Unpacking of docs/bundle-format.md into memory: every check that it lists, in its order. Writes nothing to disk.
import { sha256 } from './chunking.ts'
import { assert, at, type Bundle, type BundleIndex } from './model.ts'
import { readIndex } from './read-index.ts'
import { decompress } from './zstd.ts'

export type TreeNode =
  | { readonly kind: 'file'; readonly content: Buffer; readonly isExecutable: boolean }
  | { readonly kind: 'directory' }
  | { readonly kind: 'link'; readonly target: string }

export const unpack = ({ index: bytes, pack }: Bundle): Map<string, TreeNode> => {
  const index = readIndex(bytes)
  const contents = readContents(index, pack)
  const chunks = index.chunks.map(({ digest, frame, offset, lengthBytes }) => {
    const chunk = at(contents, frame).subarray(offset, offset + lengthBytes)
    assert(sha256(chunk) === digest, 'a chunk is not what the index says')
    return chunk
  })
  return new Map(
    index.entries.map((entry): [string, TreeNode] => {
      if (entry.kind === 'directory') return [entry.path, { kind: 'directory' }]
      if (entry.kind === 'link') return [entry.path, { kind: 'link', target: entry.target }]
      const content = Buffer.concat(entry.chunks.map((chunk) => at(chunks, chunk)))
      assert(entry.digest === undefined || sha256(content) === entry.digest, `${entry.path} is not what the index says`)
      return [entry.path, { kind: 'file', content, isExecutable: entry.isExecutable }]
    }),
  )
}

/** The contents of all frames, in their order. */
const readContents = (index: BundleIndex, pack: Buffer): Buffer[] => {
  const packedBytes = index.frames.reduce((sum, frame) => sum + frame.packedBytes, 0)
  assert(pack.length === packedBytes, 'pack is not as long as its frames')
  const contents: (Buffer | undefined)[] = index.frames.map(() => undefined)
  const contentOf = (number: number): Buffer => {
    const known = contents[number]
    if (known !== undefined) return known
    const frame = at(index.frames, number)
    const packed = pack.subarray(frame.packOffset, frame.packOffset + frame.packedBytes)
    assert(sha256(packed) === frame.digest, 'a frame is not what the index says')
    const dictionary = frame.base === undefined ? undefined : contentOf(frame.base)
    const content = decompress(packed, { length: frame.lengthBytes, windowLogMax: 24, dictionary })
    contents[number] = content
    return content
  }
  return index.frames.map((_, number) => contentOf(number))
}
