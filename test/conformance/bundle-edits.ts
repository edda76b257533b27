// Edits of a release: a history with every kind of entry, and what fast-check makes up.
import fc from 'fast-check'
import { type Nodes, noise, prose } from '../core/bundle/bundle-support.ts'

const data = noise(120_000, 'data')
const main = prose(90_000, 'main')
const deep = Array.from({ length: 64 }, (_, index) => index).join('/')

const FIRST: Nodes = {
  'bin/acme': { kind: 'file', content: '#!/bin/sh\nexec node "$0.js"\n', executable: true },
  'bin/acme.js': { kind: 'link', target: '../lib/main.js' },
  'bin-extra': 'sorted behind what is in bin',
  here: { kind: 'link', target: '.' },
  'lib/data.bin': data,
  'lib/main.js': main,
  'lib/main.copy.js': main,
  'lib/nothing': '',
  'lib/zeros': new Uint8Array(150_000),
  'locales/日本語.txt': 'first',
  'locales/日本誌.txt': 'shares half a character',
  '\ufeffmark': 'a byte order mark is a character',
  [deep]: 'sixty-four parts',
  'var/dangling': { kind: 'link', target: 'nowhere/at/all' },
  'var/empty': { kind: 'directory' },
}

const without = (nodes: Nodes, ...paths: readonly string[]): Nodes =>
  Object.fromEntries(Object.entries(nodes).filter(([path]) => !paths.includes(path)))

const EDITED: Nodes = { ...FIRST, 'lib/data.bin': Buffer.concat([Buffer.from('changed'), data.subarray(5_000)]) }
const INSERTED: Nodes = {
  ...EDITED,
  'lib/main.js': `${main.slice(0, 30_000)}${prose(3_000, 'inserted')}${main.slice(30_000)}`,
  'lib/more.js': prose(50_000, 'more'),
  'bin/acme': { kind: 'file', content: '#!/bin/sh\n', executable: false },
}
const RENAMED: Nodes = {
  ...without(INSERTED, 'lib/data.bin', 'lib/zeros'),
  'share/data.bin': data,
  'share/zeros': new Uint8Array(90_000),
}
const DELETED: Nodes = without(RENAMED, 'lib/main.copy.js', 'lib/more.js', 'bin/acme.js', 'var/empty')

/** Edits, insertions, renames, deletions. */
export const HISTORY: readonly Nodes[] = [FIRST, EDITED, INSERTED, RENAMED, DELETED]

export type Files = Readonly<Record<string, Buffer>>

export const EDIT = fc.record({
  kind: fc.constantFrom('insert', 'cut', 'scatter', 'turn', 'add', 'copy', 'rename', 'remove'),
  file: fc.nat(),
  place: fc.double({ min: 0, max: 1, noNaN: true }),
  lengthBytes: fc.nat({ max: 120_000 }),
  seed: fc.nat({ max: 9 }),
})
type Edit = typeof EDIT extends fc.Arbitrary<infer T> ? T : never

/** Leaves at least one file. */
export const applyEdit = (files: Files, { kind, file, place, lengthBytes, seed }: Edit): Files => {
  const names = Object.keys(files)
  const name = names[file % names.length] ?? ''
  const content = files[name] ?? Buffer.alloc(0)
  const at = Math.floor(place * content.length)
  const { [name]: _, ...others } = files
  const isText = lengthBytes % 2 === 0
  const added = (bytes: number): Buffer => (isText ? Buffer.from(prose(bytes, seed)) : noise(bytes, seed))
  const newName = `${seed % 3 === 0 ? 'folder/' : ''}${seed}`
  switch (kind) {
    case 'insert':
      return {
        ...files,
        [name]: Buffer.concat([content.subarray(0, at), added(lengthBytes >> 4), content.subarray(at)]),
      }
    case 'cut':
      return { ...files, [name]: Buffer.concat([content.subarray(0, at), content.subarray(at + lengthBytes)]) }
    case 'scatter':
      return {
        ...files,
        [name]: Buffer.from(content.map((byte, index) => ((index + at) % (lengthBytes + 20) === 0 ? byte ^ 1 : byte))),
      }
    case 'turn':
      return { ...files, [name]: Buffer.concat([content.subarray(at), content.subarray(0, at)]) }
    case 'add':
      return { ...files, [newName]: added(lengthBytes) }
    case 'copy':
      return { ...files, [newName]: content.subarray(at) }
    case 'rename':
      return { ...others, [newName]: content }
    case 'remove':
      return names.length > 1 ? others : files
  }
}
