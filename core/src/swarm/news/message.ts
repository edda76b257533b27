// The messages of the extension `updraft_tuf` (BEP 10), version 1: one bencoded dictionary, and in `part` the bytes of a file
// behind it, as in BEP 9. docs/peer-metadata.md describes them. Reads and writes; knows nothing of connections.
import { type BencodeDictionary, decodeBencode, encodeBencode, isDictionary, textOf } from '../bencode.ts'
import type { Edition } from './news.ts'

export const EXTENSION_NAME = 'updraft_tuf'
const VERSION = 1

/** Bytes of a file in one message: few enough that a slow link carries it soon, enough that their number stays small. */
export const PART_LENGTH = 64 * 1024

export type Message =
  | ({ readonly kind: 'have' } & Edition)
  | { readonly kind: 'get'; readonly id: number; readonly path: string; readonly offset: number }
  | { readonly kind: 'part'; readonly id: number; readonly totalBytes: number; readonly bytes: Uint8Array }
  | { readonly kind: 'when'; readonly id: number; readonly name: string; readonly indexSha256: string }
  | { readonly kind: 'seen'; readonly id: number; readonly ageSeconds: number }
  /** The answer to `get` and `when` of something that is not here. */
  | { readonly kind: 'none'; readonly id: number }
  /** Of a later version, or a kind that this one does not know: passed over. */
  | { readonly kind: 'unknown' }

const PATH_LENGTH_MAX = 512
/** Names in a repository: of two folders, without a part that leads elsewhere or begins with a dot. */
const PATH = /^(?:metadata|targets)(?:\/[A-Za-z0-9_][A-Za-z0-9_.+%~-]{0,254}){1,4}$/
const NAME = /^[A-Za-z0-9_.+-]{1,255}$/

/**
 * Reads one message.
 *
 * Errors: SyntaxError for what no honest peer sends.
 */
export const parseMessage = (bytes: Uint8Array): Message => {
  const value = decodeBencode(bytes, { rest: 'allowed' })
  if (!isDictionary(value)) throw new SyntaxError('the message is no dictionary')
  const field = (key: string): number => numberAt(value, key)
  if (field('v') !== VERSION) return { kind: 'unknown' }
  const rest = bytes.subarray(value.bytes.length)
  const kind = textAt(value, 't')
  if (kind !== 'part' && rest.length > 0) throw new SyntaxError(`${rest.length} bytes behind a message`)
  switch (kind) {
    case 'have':
      return { kind, root: field('root'), timestamp: field('timestamp'), snapshot: field('snapshot') }
    case 'get': {
      const path = textAt(value, 'path')
      if (path.length > PATH_LENGTH_MAX || !PATH.test(path)) throw new SyntaxError('the path is none of a repository')
      return { kind, id: field('id'), path, offset: field('offset') }
    }
    case 'part':
      if (rest.length > PART_LENGTH) throw new SyntaxError(`a part of ${rest.length} bytes`)
      return { kind, id: field('id'), totalBytes: field('size'), bytes: rest }
    case 'when': {
      const [name, digest] = [textAt(value, 'name'), value.entries.get('sha256')]
      if (!NAME.test(name)) throw new SyntaxError('the name is none of a release')
      if (!(digest instanceof Uint8Array) || digest.length !== 32) throw new SyntaxError('the digest is no SHA-256')
      return { kind, id: field('id'), name, indexSha256: Buffer.from(digest).toString('hex') }
    }
    case 'seen':
      return { kind, id: field('id'), ageSeconds: field('age') }
    case 'none':
      return { kind, id: field('id') }
    default:
      return { kind: 'unknown' }
  }
}

/** What is written is what `parseMessage` reads. */
export const formatMessage = (message: Exclude<Message, { readonly kind: 'unknown' }>): Uint8Array => {
  const head = { t: message.kind, v: VERSION }
  switch (message.kind) {
    case 'have':
      return encodeBencode({ ...head, root: message.root, timestamp: message.timestamp, snapshot: message.snapshot })
    case 'get':
      return encodeBencode({ ...head, id: message.id, path: message.path, offset: message.offset })
    case 'part':
      return Buffer.concat([encodeBencode({ ...head, id: message.id, size: message.totalBytes }), message.bytes])
    case 'when':
      return encodeBencode({
        ...head,
        id: message.id,
        name: message.name,
        sha256: Buffer.from(message.indexSha256, 'hex'),
      })
    case 'seen':
      return encodeBencode({ ...head, id: message.id, age: message.ageSeconds })
    case 'none':
      return encodeBencode({ ...head, id: message.id })
  }
}

/** Never negative: no number in a message is. */
const numberAt = ({ entries }: BencodeDictionary, key: string): number => {
  const value = entries.get(key)
  if (typeof value !== 'number' || value < 0) throw new SyntaxError(`${key} is no number`)
  return value
}

const textAt = ({ entries }: BencodeDictionary, key: string): string => {
  const text = textOf(entries.get(key))
  if (text === undefined) throw new SyntaxError(`${key} is no text`)
  return text
}
