// Job: a sample of a frame's content, by which it is told what it resembles.
import { sampleOf } from '../similar.ts'
import { readContent, type Slices } from './content.ts'

/** Errors: BUILD_CHANGED, PERMISSION, IO. */
export const sampleContent = ({ content }: { readonly content: Slices }): { readonly sample: Int32Array } => ({
  sample: sampleOf(readContent(content, 'content')),
})
