// Everything that runs on a worker thread: one function per kind of job, from plain data to plain data. They may block,
// because nothing else runs on their thread.
import { applySegment } from './apply-segment.ts'
import { chunkFiles } from './chunk-files.ts'
import { diffSegment } from './diff-segment.ts'
import { packContent } from './pack-content.ts'
import { sampleContent } from './sample-content.ts'
import { sealFiles } from './seal-files.ts'
import { unpackFrames } from './unpack-frames.ts'

export const JOBS = {
  chunkFiles,
  packContent,
  sampleContent,
  unpackFrames,
  sealFiles,
  diffSegment,
  applySegment,
} as const

export type Jobs = typeof JOBS
export type JobKind = keyof Jobs
export type JobOf<Kind extends JobKind> = Parameters<Jobs[Kind]>[0]
export type ResultOf<Kind extends JobKind> = ReturnType<Jobs[Kind]>

/** Tells how many more bytes were done. */
export type Report = (bytes: number) => void
