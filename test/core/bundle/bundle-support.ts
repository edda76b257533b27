// What the bundle's tests share: folders that are gone at the end of each test, builds made from a list, what is on disk as
// a list again, and bundles of them.
import { createHash } from 'node:crypto'
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach } from '@jest/globals'
import { type PreviousBundle, type WrittenBundle, writeBundle } from '@updraft/core/bundle/bundle'
import { parseIndex } from '@updraft/core/bundle/index-file'
import { finishTree, unpackBundle } from '@updraft/core/bundle/unpack'

const cleanups: (() => unknown)[] = []

/** Runs at the end of the test, the latest first. */
export const atEnd = (cleanup: () => unknown): void => void cleanups.push(cleanup)

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

export const temporaryFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'updraft-bundle-'))
  atEnd(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A tree by path: content of a file, or what else it is. */
export type Content = string | Uint8Array
export type Node =
  | { readonly kind: 'file'; readonly content: Content; readonly executable?: boolean }
  | { readonly kind: 'directory' }
  | { readonly kind: 'link'; readonly target: string }
export type Nodes = Readonly<Record<string, Node | Content>>

export const nodeOf = (node: Node | Content): Node =>
  typeof node === 'string' || node instanceof Uint8Array ? { kind: 'file', content: node } : node

/** Writes a build into a new folder. */
export const makeBuild = (nodes: Nodes): string => {
  const root = join(temporaryFolder(), 'build')
  mkdirSync(root)
  for (const [path, value] of Object.entries(nodes)) {
    const node = nodeOf(value)
    const full = join(root, path)
    mkdirSync(dirname(full), { recursive: true })
    if (node.kind === 'directory') mkdirSync(full, { recursive: true })
    else if (node.kind === 'link') symlinkSync(node.target, full)
    else {
      writeFileSync(full, node.content)
      chmodSync(full, node.executable === true ? 0o755 : 0o644)
    }
  }
  return root
}

/** One line for everything below `root`: what it is, its mode, and the digest of its content. */
export const listTree = (root: string): string[] => {
  const lines: string[] = []
  const visit = (path: string): void => {
    for (const name of readdirSync(join(root, path)).sort()) {
      const child = path === '' ? name : `${path}/${name}`
      const full = join(root, child)
      const stats = lstatSync(full)
      const mode = (stats.mode & 0o7777).toString(8)
      if (stats.isSymbolicLink()) lines.push(`${child} -> ${readlinkSync(full)}`)
      else if (stats.isDirectory()) {
        lines.push(`${child}/ ${mode}`)
        visit(child)
      } else lines.push(`${child} ${mode} ${sha256(readFileSync(full))}`)
    }
  }
  visit('')
  return lines
}

/** The same lines as an installed tree has them. */
export const listInstalled = (nodes: Nodes): string[] => {
  const lines = new Map<string, string>()
  for (const [path, value] of Object.entries(nodes)) {
    const node = nodeOf(value)
    for (let parent = dirname(path); parent !== '.'; parent = dirname(parent)) lines.set(parent, `${parent}/ 755`)
    if (node.kind === 'directory') lines.set(path, `${path}/ 755`)
    else if (node.kind === 'link') lines.set(path, `${path} -> ${node.target}`)
    else lines.set(path, `${path} ${node.executable === true ? 755 : 644} ${sha256(node.content)}`)
  }
  return [...lines.values()].sort()
}

export const sha256 = (content: Content): string => createHash('sha256').update(content).digest('hex')

/** Bytes that do not compress; the same for the same seed. Source: Marsaglia, "Xorshift RNGs" (32 bits, 13, 17, 5). */
export const noise = (lengthBytes: number, seed: number | string): Buffer => {
  let state = createHash('sha256').update(String(seed)).digest().readUInt32LE(0) | 1
  const bytes = Buffer.alloc(lengthBytes)
  for (let at = 0; at < lengthBytes; at += 1) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    bytes[at] = state >>> 11
  }
  return bytes
}

/** Lines that compress like source code; the same for the same seed. */
export const prose = (lengthBytes: number, seed: number | string): string => {
  const words = noise(lengthBytes, seed)
  const lines: string[] = []
  for (let at = 0, length = 0; length < lengthBytes; at = (at + 3) % (words.length - 3)) {
    const line = `export const ${(words[at] ?? 0).toString(36)}Of${words[at + 1]} = (value: number) => value + ${words[at + 2]}`
    lines.push(line)
    length += line.length + 1
  }
  return lines.join('\n').slice(0, lengthBytes)
}

/** Bytes of which some are more frequent than others, in no order: nothing in it comes again. */
export const flat = (lengthBytes: number, seed: number | string): Buffer =>
  Buffer.from(noise(lengthBytes, seed).map((byte) => (byte & 0x0f) * (byte & 0x30)))

export interface Bundle extends WrittenBundle, PreviousBundle {
  readonly indexBytes: Buffer
  readonly packBytes: Buffer
}

export const bundle = async (
  build: string | Nodes,
  previous?: PreviousBundle,
  options: { readonly workers?: number; readonly into?: string } = {},
): Promise<Bundle> => {
  const written = await writeBundle({
    build: typeof build === 'string' ? build : makeBuild(build),
    into: options.into ?? join(temporaryFolder(), 'bundle'),
    previous,
    workers: options.workers ?? 1,
  })
  const indexBytes = readFileSync(written.indexPath)
  return { ...written, index: parseIndex(indexBytes), indexBytes, packBytes: readFileSync(written.packPath) }
}

/** Unpacks and finishes; returns what is on disk. */
export const install = async ({ index, packPath }: PreviousBundle): Promise<string[]> => {
  return listTree(await installTree({ index, packPath })).sort()
}

/** A tree as it stands after an installation. */
export const installTree = async ({ index, packPath }: PreviousBundle): Promise<string> => {
  const path = join(temporaryFolder(), 'tree')
  await unpackBundle({ index, packPath, into: path })
  await finishTree(index, path)
  return path
}
