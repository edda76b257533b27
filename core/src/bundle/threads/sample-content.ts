// Job: a sample of a frame's content, by which it is told what it resembles.
import { sampleOf } from '../similar.ts'
import { readContent, type Slices } from './content.ts'

// Whether the build is still what it was is seen when the frame is packed; here a hash of it would only cost time.

export interface SampleContentJob {
  readonly content: Slices
  readonly sampledBits: number
}

/** Errors: BUILD_CHANGED, PERMISSION, IO. */
export const sampleContent = ({ content, sampledBits }: SampleContentJob): { readonly sample: Int32Array } => {
  const unchecked = { ...content, isUnchecked: new Uint8Array(content.lengths.length).fill(1) }
  const bytes = readContent(unchecked, 'content')
  let end = 0
  const chunks = Array.from(content.lengths, (length) => {
    end += length
    return bytes.subarray(end - length, end)
  })
  return { sample: sampleOf(chunks, sampledBits) }
}
