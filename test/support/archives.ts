// Tar archives of which every byte is chosen: what an export has, and what it never has.
import { createHash } from 'node:crypto'
import { SUMS, sumLine } from '@updraft/core/archive/export-file'
import { TAR_END, tarHeaderOf, tarPaddingOf } from '@updraft/core/archive/tar'

export interface Entry {
  readonly name: string
  readonly bytes: Buffer
}

/** The blocks of one file, with `change` made to its header and the checksum mended, as a person who means harm would. */
export const blocksOf = ({ name, bytes }: Entry, change: (header: Buffer) => void = () => {}): Buffer => {
  const header = tarHeaderOf(name, bytes.length)
  change(header)
  if (header.length === 512) {
    header.write('        ', 148, 'latin1')
    const sum = header.reduce((all, byte) => all + byte, 0)
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  }
  return Buffer.concat([header, bytes, tarPaddingOf(bytes.length)])
}

export const sumsOf = (entries: readonly Entry[]): Entry => ({
  name: SUMS,
  bytes: Buffer.from(
    entries.map(({ name, bytes }) => sumLine(createHash('sha256').update(bytes).digest('hex'), name)).join(''),
  ),
})

/** A whole archive, with its sums. */
export const archiveOf = (entries: readonly Entry[]): Buffer =>
  Buffer.concat([...[...entries, sumsOf(entries)].map((entry) => blocksOf(entry)), TAR_END])

const text = (name: string, content = name): Entry => ({ name, bytes: Buffer.from(content) })

const target = (platform: string, kind: string, bytes: Buffer): Entry => ({
  name: `targets/acme/1.0.0/${createHash('sha256').update(bytes).digest('hex')}.${platform}.${kind}`,
  bytes,
})

/** Right in shape; nothing in it is signed. */
export const plausibleEntries = (): readonly Entry[] => {
  const index = Buffer.from('an index')
  return [
    text('metadata/1.root.json'),
    text('metadata/timestamp.json'),
    text('metadata/7.snapshot.json'),
    text('metadata/3.targets.json'),
    text('metadata/5.acme.json'),
    target('any', 'index', index),
    target('any', 'torrent', Buffer.from('a metainfo')),
    { name: 'bundles/acme_1.0.0_any/index', bytes: index },
    text('bundles/acme_1.0.0_any/pack', 'p'.repeat(3_000)),
  ]
}
