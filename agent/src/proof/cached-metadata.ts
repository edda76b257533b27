// What the agent verified last, in the place of a server: answers from the metadata cache alone. The cache is no more trusted than
// a server is; whoever asks verifies everything from the pinned root again.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { UpdateError } from '@updraft/core/errors'
import { readFileIfThere } from '@updraft/core/files/atomic'
import { LIMITS } from '@updraft/core/limits'
import { replyOf } from '../ask.ts'
import type { Carrier } from '../carrier.ts'
import { assertRoot } from '../trust-store.ts'

/** Answers for metadata only, under the names that a repository has for it. The pinned root is kept elsewhere. */
export const carrierOfCache = (directory: string, pinnedRoot: Buffer): Carrier => {
  const pinned = `${assertRoot(pinnedRoot).signed.version}.root.json`
  const url = `${pathToFileURL(directory).href}/`
  const nothing = (): never => {
    throw new TypeError('there are no bundles in a metadata cache')
  }
  return {
    url,
    ask: async (wanted) => {
      const match = /^metadata\/((?:\d+\.)?)([^/]+\.json)$/.exec(wanted.slice(url.length))
      const [, version = '', name = ''] = match ?? []
      // Only roots are kept under their version. Which version a file has is told by itself, and checked by who asked.
      const file = name === 'root.json' ? `${version}${name}` : name
      const bytes =
        file === pinned ? pinnedRoot : await readFileIfThere(join(directory, file), LIMITS.targetsLengthBytes)
      if (bytes !== undefined) return replyOf(200, bytes)
      if (name === 'root.json') return replyOf(404)
      throw new UpdateError('METADATA_UNTRUSTED', `${directory} has no ${file}: nothing of it was ever verified here`, {
        hint: 'let the agent look for updates, or import a file, and verify again',
      })
    },
    carries: () => false,
    openPack: nothing,
  }
}
