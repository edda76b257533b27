// The container of an exported release: a plain uncompressed tar, of regular files only. Writes headers that are the same on
// every machine, and reads no others: a header has to be, byte for byte, the one that is written for its name and length. So
// there is nothing to interpret: no links, owners, holes or extensions, and no two readers that see different things.
// Source: POSIX.1-2018, pax, "ustar Interchange Format" and "pax Extended Header".
import type { FileHandle } from 'node:fs/promises'
import { UpdateError } from '../errors.ts'
import { LIMITS } from '../limits.ts'

/** A regular file in the archive. */
export interface Member {
  readonly name: string
  /** Where its bytes begin in the archive. */
  readonly offset: number
  readonly lengthBytes: number
}

const BLOCK_BYTES = 512

/** Two blocks of zeros, and nothing after them. */
export const TAR_END = Buffer.alloc(2 * BLOCK_BYTES)

/** The header blocks of a file: one, or three if the name or the length does not fit into one. */
export const tarHeaderOf = (name: string, lengthBytes: number): Buffer => {
  const place = placeOfName(name)
  if (place !== undefined && lengthBytes <= USTAR_LENGTH_MAX) return ustarHeader(place, lengthBytes, '0')
  const records = [paxRecord('path', name), paxRecord('size', String(lengthBytes))].join('')
  const body = Buffer.alloc(paddedBytes(Buffer.byteLength(records)))
  body.write(records)
  return Buffer.concat([
    ustarHeader({ name: PAX_NAME, prefix: '' }, Buffer.byteLength(records), 'x'),
    body,
    // What a reader sees that knows no extended headers; all others go by those.
    ustarHeader({ name: PAX_NAME, prefix: '' }, lengthBytes <= USTAR_LENGTH_MAX ? lengthBytes : 0, '0'),
  ])
}

/** Zeros up to the next block. */
export const tarPaddingOf = (lengthBytes: number): Buffer => Buffer.alloc(paddedBytes(lengthBytes) - lengthBytes)

/**
 * Lists the members of an archive. Reads headers and padding only; every length is checked against `archiveBytes` first.
 *
 * Errors: EXPORT_INVALID with the place and what is wrong there; those of the file system.
 */
export const readTarMembers = async (file: FileHandle, archiveBytes: number): Promise<readonly Member[]> => {
  const members: Member[] = []
  for (let at = 0; ; ) {
    const block = await readBlock(file, at, archiveBytes)
    if (isZero(block)) {
      await assertEnd(file, at, archiveBytes)
      return members
    }
    if (members.length === LIMITS.exportMembersMax) throw faultAt(at, `more than ${LIMITS.exportMembersMax} files`)
    const member = await readMember(file, at, block, archiveBytes)
    const end = member.offset + paddedBytes(member.lengthBytes)
    if (end > archiveBytes) throw truncated(`${member.name} has ${member.lengthBytes} bytes`, archiveBytes)
    const padding = await readExactly(
      file,
      member.offset + member.lengthBytes,
      end - member.offset - member.lengthBytes,
    )
    if (!isZero(padding)) throw faultAt(member.offset + member.lengthBytes, `padding after ${member.name} is not zero`)
    members.push(member)
    at = end
  }
}

/** Reads so many bytes, or fails. Errors: EXPORT_INVALID if the file ends before, those of the file system. */
export const readExactly = async (file: FileHandle, position: number, lengthBytes: number): Promise<Buffer> => {
  const bytes = Buffer.allocUnsafeSlow(lengthBytes)
  for (let done = 0; done < lengthBytes; ) {
    const { bytesRead } = await file.read(bytes, done, lengthBytes - done, position + done)
    if (bytesRead === 0) throw truncated(`${lengthBytes} bytes were to be read at ${position}`, position + done)
    done += bytesRead
  }
  return bytes
}

const USTAR_LENGTH_MAX = 8 ** 11 - 1
/** 2000-01-01 in UTC, for every file: an archive tells nothing of when or where it was made, and tar warns of 1970. */
const MODIFIED_SECONDS = 946_684_800
const PAX_NAME = 'pax'

interface NamePlace {
  readonly name: string
  readonly prefix: string
}

/** Undefined if no slash divides the name into what both fields hold. Names are ASCII: their grammar has nothing else. */
const placeOfName = (path: string): NamePlace | undefined => {
  if (path.length <= 100) return { name: path, prefix: '' }
  const slash = path.indexOf('/', path.length - 101)
  return slash > 0 && slash <= 155 ? { prefix: path.slice(0, slash), name: path.slice(slash + 1) } : undefined
}

const ustarHeader = ({ name, prefix }: NamePlace, lengthBytes: number, type: '0' | 'x'): Buffer => {
  const header = Buffer.alloc(BLOCK_BYTES)
  header.write(name, 0, 'latin1')
  header.write('0000644\0', 100, 'latin1')
  header.write('0000000\0', 108, 'latin1')
  header.write('0000000\0', 116, 'latin1')
  header.write(`${octal(lengthBytes)}\0`, 124, 'latin1')
  header.write(`${octal(MODIFIED_SECONDS)}\0`, 136, 'latin1')
  header.write('        ', 148, 'latin1')
  header.write(type, 156, 'latin1')
  header.write('ustar\0' + '00', 257, 'latin1')
  header.write('0000000\0', 329, 'latin1')
  header.write('0000000\0', 337, 'latin1')
  header.write(prefix, 345, 'latin1')
  const checksum = header.reduce((sum, byte) => sum + byte, 0)
  header.write(`${checksum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return header
}

const octal = (value: number): string => value.toString(8).padStart(11, '0')

/** The length in front counts itself. */
const paxRecord = (key: string, value: string): string => {
  const rest = ` ${key}=${value}\n`
  const digits = String(rest.length + String(rest.length).length).length
  return `${rest.length + digits}${rest}`
}

const paddedBytes = (lengthBytes: number): number => Math.ceil(lengthBytes / BLOCK_BYTES) * BLOCK_BYTES

const readBlock = async (file: FileHandle, at: number, archiveBytes: number): Promise<Buffer> => {
  if (at + BLOCK_BYTES > archiveBytes) throw truncated('it has no end', archiveBytes)
  return await readExactly(file, at, BLOCK_BYTES)
}

/** Reads what the header says of name and length, and then asks whether it is the header that these have. */
const readMember = async (file: FileHandle, at: number, block: Buffer, archiveBytes: number): Promise<Member> => {
  assertMagic(block, at)
  const isExtended = typeOf(block) === 'x'
  const { name, lengthBytes } = isExtended
    ? parsePax(await readBlock(file, at + BLOCK_BYTES, archiveBytes), at)
    : { name: nameIn(block), lengthBytes: lengthIn(block, at) }
  const expected = tarHeaderOf(name, lengthBytes)
  if (at + expected.length > archiveBytes) throw truncated('it ends in a header', archiveBytes)
  const actual = await readExactly(file, at, expected.length)
  if (!actual.equals(expected))
    throw faultAt(at, `the header of ${JSON.stringify(name)} is not as an export has it${oddity(block)}`)
  return { name, offset: at + expected.length, lengthBytes }
}

const typeOf = (block: Buffer): string => String.fromCharCode(block[156] ?? 0)

const assertMagic = (block: Buffer, at: number): void => {
  if (block.toString('latin1', 257, 263) === 'ustar\0') return
  throw faultAt(at, 'there is no header of a tar archive')
}

const textIn = (block: Buffer, start: number, end: number): string => {
  const zero = block.indexOf(0, start)
  return block.toString('latin1', start, zero === -1 || zero > end ? end : zero)
}

const nameIn = (block: Buffer): string => {
  const prefix = textIn(block, 345, 500)
  return `${prefix === '' ? '' : `${prefix}/`}${textIn(block, 0, 100)}`
}

const lengthIn = (block: Buffer, at: number): number => {
  const text = textIn(block, 124, 136)
  if (!/^[0-7]{11}$/.test(text)) throw faultAt(at, `the length ${JSON.stringify(text)} is not 11 octal digits`)
  return Number.parseInt(text, 8)
}

const parsePax = (body: Buffer, at: number): { readonly name: string; readonly lengthBytes: number } => {
  const match = /^\d{1,3} path=([^\n\0]{1,480})\n\d{1,3} size=(0|[1-9]\d{0,14})\n\0*$/.exec(body.toString('latin1'))
  if (match === null) throw faultAt(at, 'the extended header has more than a path and a size')
  const [, name = '', size] = match
  return { name, lengthBytes: Number(size) }
}

/** What people would call it. */
const oddity = (block: Buffer): string => {
  const kinds: Readonly<Record<string, string>> = {
    '1': 'a hard link',
    '2': 'a symbolic link',
    '3': 'a device',
    '4': 'a device',
    '5': 'a directory',
    '6': 'a pipe',
    S: 'a sparse file',
  }
  const kind = kinds[typeOf(block)]
  return kind === undefined ? '' : `: it is ${kind}`
}

const assertEnd = async (file: FileHandle, at: number, archiveBytes: number): Promise<void> => {
  if (at + TAR_END.length > archiveBytes) throw truncated('its end is cut off', archiveBytes)
  if (!isZero(await readExactly(file, at, TAR_END.length))) throw faultAt(at, 'a block of zeros is not the end')
  if (at + TAR_END.length < archiveBytes)
    throw faultAt(at, `${archiveBytes - at - TAR_END.length} bytes follow the end`)
}

const isZero = (bytes: Buffer): boolean => bytes.every((byte) => byte === 0)

const faultAt = (at: number, what: string): UpdateError =>
  new UpdateError('EXPORT_INVALID', `at byte ${at}: ${what}`, { hint: COPY_AGAIN })

const truncated = (what: string, archiveBytes: number): UpdateError =>
  new UpdateError('EXPORT_INVALID', `${what}, but the file ends after ${archiveBytes} bytes`, {
    hint: 'it was not copied to its end, or is still being copied: wait, or copy it again',
  })

const COPY_AGAIN = 'it was damaged or altered on its way, or was not made by updraft-publisher export: copy it again'
