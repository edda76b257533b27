// "What a release can carry": paths, targets of links, twins, and the order of entries.
const FORBIDDEN = /[\p{Cc}\u2028\u2029\\:*?"<>|]/u
const DEVICE = /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])(?: *\..*)?$/isu
const bytesOf = (text: string): number => Buffer.byteLength(text)

const isPart = (part: string): boolean =>
  bytesOf(part) >= 1 && bytesOf(part) <= 255 && !/[ .]$/u.test(part) && !FORBIDDEN.test(part) && !DEVICE.test(part)

export const isPath = (path: string): boolean => {
  const parts = path.split('/')
  return path.isWellFormed() && bytesOf(path) <= 1024 && parts.length <= 64 && parts.every(isPart)
}

export const isLinkTarget = (target: string, path: string): boolean => {
  if (!target.isWellFormed() || bytesOf(target) < 1 || bytesOf(target) > 1024) return false
  if (target === '.') return true
  const parts = target.split('/')
  const firstName = parts.findIndex((part) => part !== '..')
  const ups = firstName === -1 ? parts.length : firstName
  return ups <= path.split('/').length - 1 && parts.slice(ups).every(isPart)
}

/** Equal for twins. */
export const twinKey = (path: string): string =>
  path.normalize('NFC').toLowerCase().toUpperCase().normalize('NFC').toLowerCase()

/** As bytes, with `/` before every other byte. */
export const comparePaths = (a: string, b: string): number => Buffer.compare(orderKey(a), orderKey(b))
const orderKey = (path: string): Buffer => Buffer.from(Buffer.from(path).map((byte) => (byte === 0x2f ? 0 : byte)))

export const parentOf = (path: string): string | undefined =>
  path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : undefined

/** Of bytes from outside; throws where they are not well-formed UTF-8. */
export const textOf = (bytes: Buffer): string =>
  new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
