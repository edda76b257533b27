// Reads a bundle in an exported file once, and says what of it is not as it was signed. Writes nothing.
import { type ExportFile, exportedIndexOf, exportedPatchOf } from '@updraft/core/archive/export-file'
import { frameOf } from '@updraft/core/bundle/bundle-index'
import { parseIndexInTurns } from '@updraft/core/bundle/index-file'
import { release } from '@updraft/core/bundle/memory'
import { UpdateError } from '@updraft/core/errors'
import { parseMetainfo } from '@updraft/core/swarm/metainfo'
import type { Carrier } from '../carrier.ts'
import { fetchTarget } from '../fetch/target.ts'
import type { TrustedRelease } from '../refresh.ts'
import { type ProofFinding, refusalOf } from './findings.ts'

/** Everything of one release that is in the file. Errors: those that are no verdict; see `refusalOf`. */
export const findingsInBundle = async (
  file: ExportFile,
  carrier: Carrier,
  { release: signed, index, metainfo }: TrustedRelease,
  signal: AbortSignal,
): Promise<readonly ProofFinding[]> => {
  try {
    const { infoHash } = parseMetainfo(await fetchTarget(metainfo, carrier, signal))
    if (infoHash !== signed.torrent.btih) {
      throw new UpdateError('METAINFO_INVALID', `its torrent is ${infoHash}, signed is ${signed.torrent.btih}`)
    }
    assertSame(file, exportedIndexOf(signed), index.sha256)
    for (const { from, sha256 } of signed.patches ?? []) {
      const name = exportedPatchOf(signed, from)
      if (file.has(name)) assertSame(file, name, sha256)
    }
    const parsed = await parseIndexInTurns(await fetchTarget(index, carrier, signal), signal)
    const pack = carrier.openPack(signed)
    for (let number = 0; number < parsed.frames.count; number += 1) {
      signal.throwIfAborted()
      release(await pack.read(frameOf(parsed, number)))
    }
    pack.finish()
    return []
  } catch (error) {
    return [refusalOf(error, true)]
  }
}

/** The sums of these were checked when the file was opened. */
const assertSame = (file: ExportFile, name: string, signed: string): void => {
  const is = file.sha256Of(name)
  if (is !== signed) throw new UpdateError('BUNDLE_INVALID', `${name} has the SHA-256 ${is}, signed is ${signed}`)
}
