// Finds which chunk of a release holds a certain byte of a file: where what changed stood before. Pure.
import type { BundleFile, BundleIndex } from './bundle-index.ts'

/** The chunk that holds byte `offset` of the file at `path`, or -1. Asked in ascending order, it is quick. */
export const makeFinder = ({ files, references, chunks }: BundleIndex) => {
  const known = new Map<string, BundleFile>()
  for (const file of files) if (file.kind === 'file') known.set(file.path, file)
  let current: BundleFile | undefined
  let row = 0
  let end = 0
  return (path: string, offset: number): number => {
    if (current?.path !== path || offset < end - lengthAt(row)) {
      current = known.get(path)
      row = current?.firstReference ?? 0
      end = lengthAt(row)
    }
    if (current === undefined || offset >= current.lengthBytes) return -1
    while (offset >= end) {
      row += 1
      end += lengthAt(row)
    }
    return references[row] ?? -1
  }
  function lengthAt(reference: number): number {
    return chunks.lengths[references[reference] ?? -1] ?? 0
  }
}
