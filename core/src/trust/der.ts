// DER as certificates and revocation lists are written in: elements within elements. Only the definite form, only lengths that
// fit, and no tag of more than one byte: nothing else stands in what we read. Source: X.690, 10 and 8.1.
import { UpdateError } from '../errors.ts'

export interface DerElement {
  /** The whole identifier octet: class, constructed or not, number. */
  readonly tag: number
  readonly content: Uint8Array
  /** The element as it stands, its header included. */
  readonly bytes: Uint8Array
}

export const DER = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  sequence: 0x30,
} as const

/** The one element that `bytes` are. Errors: METADATA_POLICY. */
export const readDer = (bytes: Uint8Array): DerElement => {
  const [element, ...others] = readAll(bytes)
  if (element === undefined || others.length > 0) throw malformed('more or less than one element')
  return element
}

/** What stands in a constructed element. Errors: METADATA_POLICY. */
export const partsOf = ({ content }: DerElement): readonly DerElement[] => readAll(content)

/** Dotted form, such as 2.5.29.15. */
export const oidOf = ({ content }: DerElement): string => {
  const numbers: number[] = []
  let value = 0
  for (const byte of content) {
    value = value * 128 + (byte & 127)
    if (byte < 128) {
      numbers.push(value)
      value = 0
    }
  }
  const [first = 0, ...rest] = numbers
  const root = Math.min(2, Math.floor(first / 40))
  return [root, first - 40 * root, ...rest].join('.')
}

const readAll = (bytes: Uint8Array): readonly DerElement[] => {
  const elements: DerElement[] = []
  for (let at = 0; at < bytes.length; ) {
    const element = readAt(bytes, at)
    elements.push(element)
    at += element.bytes.length
  }
  return elements
}

const readAt = (bytes: Uint8Array, at: number): DerElement => {
  const [tag = 0, first] = bytes.subarray(at, at + 2)
  if (first === undefined || (tag & 31) === 31) throw malformed(`no element at byte ${at}`)
  const lengthBytes = first < 128 ? 0 : first - 128
  if (first === 128 || lengthBytes > 4) throw malformed(`a length of ${lengthBytes} bytes`)
  const start = at + 2 + lengthBytes
  if (start > bytes.length) throw malformed('a length that is cut off')
  const length = lengthBytes === 0 ? first : Buffer.from(bytes.subarray(at + 2, start)).readUIntBE(0, lengthBytes)
  if (start + length > bytes.length) throw malformed('an element longer than what holds it')
  return { tag, content: bytes.subarray(start, start + length), bytes: bytes.subarray(at, start + length) }
}

export const malformed = (what: string): UpdateError => new UpdateError('METADATA_POLICY', `malformed DER: ${what}`)
