// JSON with comments against a schema, every fault with its line and column. Knows nothing of what the settings mean.
import { UpdateError } from '@updraft/core/errors'
import {
  findNodeAtLocation,
  getNodeValue,
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from 'jsonc-parser'
import type * as z from 'zod'

/**
 * Parses `text` and checks it against `schema`. Comments and trailing commas are fine; a key that stands twice is not.
 *
 * Errors: SETTINGS_INVALID; the message begins with `path:line:column` of the first fault and names all of them.
 */
export const parseJsonWithComments = <T>(text: string, schema: z.ZodType<T>, path: string): T => {
  const errors: ParseError[] = []
  const root = parseTree(text, errors, { allowTrailingComma: true })
  const syntax = errors[0]
  // One broken bracket makes the parser report many faults; only the first is sure to be one.
  if (syntax !== undefined) {
    throw invalid(path, text, [{ offset: syntax.offset, message: syntaxWordsOf(printParseErrorCode(syntax.error)) }])
  }
  if (root === undefined) throw invalid(path, text, [{ offset: 0, message: 'a value is expected' }])

  const badKeys = faultyKeys(root)
  if (badKeys.length > 0) throw invalid(path, text, badKeys)

  const result = schema.safeParse(getNodeValue(root))
  if (result.success) return result.data
  throw invalid(
    path,
    text,
    result.error.issues.flatMap((issue) => faultsOf(root, issue)),
  )
}

/** A fault that was found after parsing, at `at` in the text. */
export const faultIn = (text: string, at: readonly (string | number)[], message: string, path: string): UpdateError => {
  const root = parseTree(text, [], { allowTrailingComma: true })
  const offset = root === undefined ? 0 : nearestNode(root, at).offset
  return invalid(path, text, [{ offset, message: `${at.join('.')}: ${message}` }])
}

interface Fault {
  readonly offset: number
  readonly message: string
}

const invalid = (path: string, text: string, faults: readonly Fault[]): UpdateError => {
  const lines = [...faults]
    .sort((a, b) => a.offset - b.offset)
    .map(({ offset, message }) => `${path}:${placeOf(text, offset)}: ${message}`)
  return new UpdateError('SETTINGS_INVALID', lines.join('; '), { hint: 'correct the file; until then nothing changes' })
}

/** `line:column`, both from 1, columns in UTF-16 units as editors count them. */
const placeOf = (text: string, offset: number): string => {
  const before = text.slice(0, offset)
  const line = before.split('\n').length
  return `${line}:${offset - (before.lastIndexOf('\n') + 1) + 1}`
}

const faultsOf = (root: Node, issue: z.core.$ZodIssue): readonly Fault[] => {
  const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))
  const name = path.join('.')
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      offset: keyNodeAt(root, [...path, key])?.offset ?? root.offset,
      message: `${[...path, key].join('.')} is not a setting`,
    }))
  }
  // A key that breaks its grammar is reported with the faults of the key inside.
  if (issue.code === 'invalid_key') {
    const offset = keyNodeAt(root, path)?.offset ?? root.offset
    return issue.issues.map(({ message }) => ({ offset, message: `${name}: ${wordsOf(message)}` }))
  }
  const words = wordsOf(issue.message)
  return [{ offset: nearestNode(root, path).offset, message: name === '' ? words : `${name}: ${words}` }]
}

/** zod's words in ours: `Invalid input: expected string, received undefined` becomes `is missing`. */
const wordsOf = (message: string): string => {
  const words = message.replace(/^Invalid input: /, '')
  return words.endsWith('received undefined') ? 'is missing' : words.replace(/^[A-Z]/, (first) => first.toLowerCase())
}

/** The node at `path`; for something that is missing, the object that lacks it. */
const nearestNode = (root: Node, path: readonly (string | number)[]): Node => {
  for (let length = path.length; length > 0; length -= 1) {
    const node = findNodeAtLocation(root, path.slice(0, length))
    if (node !== undefined) return node
  }
  return root
}

const keyNodeAt = (root: Node, path: (string | number)[]): Node | undefined =>
  findNodeAtLocation(root, path)?.parent?.children?.[0]

/** Keys that would be lost without a word when the tree becomes an object. */
const faultyKeys = (node: Node): readonly Fault[] => {
  const children = node.children ?? []
  if (node.type !== 'object') return children.flatMap(faultyKeys)
  const seen = new Set<string>()
  return children.flatMap(({ offset, children: [key, value] = [] }) => {
    const name = String(key?.value)
    const faults: Fault[] = []
    if (seen.has(name)) faults.push({ offset, message: `${name} stands twice` })
    if (name === '__proto__') faults.push({ offset, message: `${name} is not a setting` })
    seen.add(name)
    return value === undefined ? faults : [...faults, ...faultyKeys(value)]
  })
}

/** `CommaExpected` becomes `comma expected`. */
const syntaxWordsOf = (code: string): string => code.replaceAll(/(?<=[a-z])(?=[A-Z])/g, ' ').toLowerCase()
