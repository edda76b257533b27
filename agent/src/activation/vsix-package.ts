// Reads from a packaged VS Code extension which one it is. Nothing of it is unpacked.
import { messageOf, UpdateError } from '@updraft/core/errors'
import { LIMITS } from '@updraft/core/limits'
import yauzl from 'yauzl'
import * as z from 'zod'

export interface VsixIdentity {
  /** `publisher.name` */
  readonly id: string
  readonly version: string
}

/** Errors: KIND_UNFIT if it is no such package. */
export const readVsix = async (path: string): Promise<VsixIdentity> => {
  try {
    const { publisher, name, version } = manifestSchema.parse(JSON.parse(await readManifest(path)))
    return { id: `${publisher}.${name}`, version }
  } catch (error) {
    throw new UpdateError('KIND_UNFIT', `${path} is no extension of VS Code: ${messageOf(error)}`, {
      cause: error,
      hint: 'tell the publisher, or name another kind in agent.json',
    })
  }
}

/** What is shown, compared and given to a command line is of these characters only. */
const manifestSchema = z.object({
  publisher: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9-]*$/),
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/),
  version: z.string().regex(/^[0-9A-Za-z.+-]+$/),
})

const MANIFEST = 'extension/package.json'

const readManifest = async (path: string): Promise<string> => {
  const zip = await yauzl.openPromise(path)
  try {
    let seen = 0
    for await (const entry of zip.eachEntry()) {
      seen += 1
      if (seen > LIMITS.filesMax) throw new Error(`it has more than ${LIMITS.filesMax} files`)
      if (entry.fileName !== MANIFEST) continue
      if (entry.uncompressedSize > LIMITS.extensionManifestBytes) {
        throw new Error(`its ${MANIFEST} has more than ${LIMITS.extensionManifestBytes} bytes`)
      }
      // The library ends the stream with an error if there is more in it than the entry says.
      const parts: Buffer[] = []
      for await (const part of await zip.openReadStreamPromise(entry)) parts.push(part as Buffer)
      return Buffer.concat(parts).toString('utf8')
    }
    throw new Error(`it has no ${MANIFEST}`)
  } finally {
    zip.close()
  }
}
