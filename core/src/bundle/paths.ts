// Which names a release may carry, so that every file system takes them and none of them leads out of the tree. One
// grammar for the publisher's scan and the agent's parser; nothing here touches the disk.
import { LIMITS } from '../limits.ts'

/** Longest name on ext4, APFS and NTFS. */
const NAME_BYTES_MAX = 255
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/
const FORBIDDEN = /[\\:*?"<>|]/
/** Device names of Windows, with any extension. Source: Microsoft, "Naming Files, Paths, and Namespaces". */
const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3]) *(\.|$)/i

/** Why a release cannot carry `path` (parts joined by `/`), or undefined if it can. */
export const faultOfPath = (path: string): string | undefined => {
  const lengthBytes = Buffer.byteLength(path)
  if (lengthBytes > LIMITS.pathLengthBytes)
    return `has ${lengthBytes} bytes; at most ${LIMITS.pathLengthBytes} are allowed`
  const names = path.split('/')
  if (names.length > LIMITS.pathDepthMax) return `has ${names.length} parts; at most ${LIMITS.pathDepthMax} are allowed`
  for (const name of names) {
    const fault = faultOfName(name)
    if (fault !== undefined) return fault
  }
  return undefined
}

/**
 * Why the link at `path` cannot point to `target`, or undefined if it can.
 *
 * `..` may only stand in front, where it climbs directories that are no links. So no chain of links leaves the tree.
 */
export const faultOfTarget = (path: string, target: string): string | undefined => {
  if (Buffer.byteLength(target) > LIMITS.pathLengthBytes) return 'has a target that is too long'
  if (target.startsWith('/')) return `points to the absolute path ${JSON.stringify(target)}`
  const depth = path.split('/').length - 1
  const names = target.split('/')
  const climbs = names.findIndex((name) => name !== '..')
  if ((climbs === -1 ? names.length : climbs) > depth) return `points out of the tree, to ${JSON.stringify(target)}`
  const down = climbs === -1 ? [] : names.slice(climbs)
  if (down.length === 1 && down[0] === '.' && climbs === 0) return undefined
  if (down.includes('..')) return `points to ${JSON.stringify(target)}: \`..\` may only stand in front`
  const fault = down.map(faultOfName).find((found) => found !== undefined)
  return fault === undefined ? undefined : `points to ${JSON.stringify(target)}, which ${fault}`
}

/**
 * What two paths must not have in common: file systems that ignore case or the form of accents take them for one.
 *
 * Lower case and then upper case also unites letters that have only one of the two, such as ſ and K (Kelvin).
 */
export const foldPath = (path: string): string =>
  ASCII.test(path)
    ? path.toLowerCase()
    : path.normalize('NFC').toLowerCase().toUpperCase().normalize('NFC').toLowerCase()

/**
 * The order of paths is that of these keys, compared by code unit: bytewise in UTF-8, with `/` before every other byte.
 * So a directory stands right before what it contains.
 */
export const sortKeyOf = (path: string): string => {
  const key = path.replaceAll('/', '\0')
  return ASCII.test(path) ? key : Buffer.from(key).toString('latin1')
}

/** The path of the directory that holds `path`; empty at the top. */
export const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')))

// biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII includes them.
const ASCII = /^[\u0000-\u007f]*$/

const faultOfName = (name: string): string | undefined => {
  if (name === '') return 'has an empty part'
  if (name === '.' || name === '..') return `contains ${JSON.stringify(name)}`
  if (CONTROL.test(name)) return 'contains a control character'
  if (FORBIDDEN.test(name)) return 'contains one of \\ : * ? " < > |, which Windows does not allow in names'
  if (name.endsWith(' ') || name.endsWith('.')) return 'has a part that ends in a space or a dot, which Windows drops'
  if (DEVICE.test(name)) return `contains ${JSON.stringify(name)}, which is a device on Windows`
  if (!name.isWellFormed()) return 'contains half of a surrogate pair'
  if (name.length * 3 > NAME_BYTES_MAX && Buffer.byteLength(name) > NAME_BYTES_MAX) {
    return `has a part of more than ${NAME_BYTES_MAX} bytes`
  }
  return undefined
}
