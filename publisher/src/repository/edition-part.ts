// As much of an edition as a change to a few products needs: their files and those above them, read and verified as in
// edition.ts. Of every other product only that its file is the one that the snapshot lists, since whoever signs the snapshot
// anew carries that line on. Signatures of products that do not change are for those who open the whole, and for clients.
import { basename, join } from 'node:path'
import { hasCode, messageOf } from '@updraft/core/errors'
import { readFileBoundedSync } from '@updraft/core/files/atomic'
import { URGENT_ROLE } from '@updraft/core/names'
import { type Metadata, parseMetadata, type SignedTargets } from '@updraft/core/trust/metadata'
import type { UrgentList } from '@updraft/core/trust/urgent'
import { urgentListOf } from '../sign/urgent.ts'
import {
  type CarriedRole,
  damaged,
  delegatedNames,
  type EditionPart,
  listed,
  listingFault,
  readProducts,
  readTopLevel,
  type TopLevel,
} from './edition.ts'
import { layoutOf, metadataFileName, metadataMaxBytes } from './layout.ts'

/** Names of the products that are to be opened. What the role `urgent` says, if there is one, is known by then. */
export type WantedProducts = (urgent: UrgentList | undefined) => readonly string[]

/**
 * Reads the part with the products that are `wanted`, and with `urgent`. Names that nobody delegates to are passed over.
 *
 * Errors: as `readEdition`; that a product's file is there and intact is checked of all of them.
 */
export const readEditionPart = async (directory: string, wanted: WantedProducts): Promise<EditionPart> => {
  const folder = layoutOf(directory).metadata
  const top = await readTopLevel(folder)
  const names = delegatedNames(top)
  const urgent = await readProducts(
    folder,
    top,
    names.filter((name) => name === URGENT_ROLE),
  )
  const chosen = new Set(wanted(urgentListOf({ products: urgent })))
  const opened = names.filter((name) => chosen.has(name) && name !== URGENT_ROLE)
  const products = new Map([...(await readProducts(folder, top, opened)), ...urgent])
  const carried = names.filter((name) => !products.has(name)).map((name) => readCarried(folder, top, name))
  return { ...top, products, carried }
}

/** Synchronously: there may be a thousand, and a promise for every step of each takes three times as long. */
const readCarried = (folder: string, { snapshot }: TopLevel, role: string): CarriedRole => {
  const entry = listed(folder, snapshot, role)
  const file = join(folder, metadataFileName(role, entry.version))
  try {
    const bytes = readFileBoundedSync(file, metadataMaxBytes(role))
    const { signed } = parseMetadata(bytes, basename(file)) as Metadata<SignedTargets>
    const fault = listingFault(signed.version, bytes, entry)
    if (fault !== undefined) throw damaged(file, fault)
    return { role, metadataVersion: entry.version, expires: new Date(signed.expires), newest: newestOf(signed) }
  } catch (error) {
    const isKnown =
      hasCode(error, 'REPOSITORY_INVALID') || hasCode(error, 'LIMIT_EXCEEDED') || hasCode(error, 'PERMISSION')
    throw isKnown ? error : damaged(file, messageOf(error), error)
  }
}

const newestOf = ({ targets }: SignedTargets): CarriedRole['newest'] => {
  let newest: CarriedRole['newest']
  for (const [path, { custom }] of Object.entries(targets)) {
    const { published, yanked } = (custom ?? {}) as { published?: string; yanked?: { at?: string } }
    const at = new Date(yanked?.at ?? published ?? '')
    if (at > (newest?.at ?? EARLIEST)) newest = { path, at }
  }
  return newest
}

const EARLIEST = new Date(0)
