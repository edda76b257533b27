// Job: a sample of a frame's content, by which it is told what it resembles.
import { sampleOf } from '../similar.ts'
import { readContent, type Slices } from './content.ts'

// Whether the build is still what it was is seen when the frame is packed; here a hash of it would only cost time.

/** Errors: BUILD_CHANGED, PERMISSION, IO. */
export const sampleContent = ({ content }: { readonly content: Slices }): { readonly sample: Int32Array } => ({
  sample: sampleOf(readContent({ ...content, isUnchecked: new Uint8Array(content.lengths.length).fill(1) }, 'content')),
})
