// A repository of many products and releases, for commands that only sign metadata. One release is published really; the others
// are copies of it under other names, signed and with all their files, since no command that is measured here looks into them.
import { copyFile, link, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { bundleNameOf, parsePlatform, parseProduct, parseReleaseVersion, STABLE_CHANNEL } from '@updraft/core/names'
import type { TufTarget } from '@updraft/core/trust/metadata'
import { initRepository } from '../../../publisher/src/init.ts'
import { fileKeys } from '../../../publisher/src/keys/key-file.ts'
import { openSigners } from '../../../publisher/src/keys/signer.ts'
import { publish } from '../../../publisher/src/publish.ts'
import { commitFiles } from '../../../publisher/src/repository/commit.ts'
import { layoutOf } from '../../../publisher/src/repository/layout.ts'
import { openRepository, rolesNamed } from '../../../publisher/src/repository.ts'
import { parseRepositorySettings } from '../../../publisher/src/repository-settings.ts'
import { signChange } from '../../../publisher/src/sign.ts'

export interface ManyReleases {
  readonly repository: string
  readonly product: string
  readonly version: string
}

const nameOf = (number: number): string => `p${String(number).padStart(4, '0')}`

export const makeManyReleases = async (
  directory: string,
  build: string,
  { products, releases }: { readonly products: number; readonly releases: number },
): Promise<ManyReleases> => {
  const repository = join(directory, 'many')
  const keysDirectory = join(directory, 'many.keys')
  const now = new Date()
  const names = Array.from({ length: products }, (_, number) => parseProduct(nameOf(number)))
  const settings = parseRepositorySettings({}, 'the bench')
  const request = { directory: repository, keysDirectory, products: names, settings, rootKeys: 1, rootThreshold: 1 }
  await initRepository(request, { passphrase: undefined, now })
  const keys = fileKeys(keysDirectory, async () => undefined)
  const [first] = names
  if (first === undefined) throw new Error('there has to be a product')
  const one = { product: first, version: parseReleaseVersion('1.0.0'), platform: parsePlatform('any') }
  await publish({ ...one, channels: [STABLE_CHANNEL], build, repository, keysDirectory }, { keys, now })

  const opened = await openRepository(repository)
  const model = opened.edition.products.get(first)?.metadata.signed.targets ?? {}
  const perProduct = Math.ceil(releases / products)
  const change = {
    products: new Map(
      names.slice(1).map((product) => [product, { targets: copiesOf(model, first, product, perProduct) }]),
    ),
  }
  const roles = rolesNamed(opened, [...names.slice(1), 'snapshot', 'timestamp'])
  const { changed } = await signChange(opened.edition, change, {
    signers: await openSigners(keys, roles),
    expiryDays: settings.expiryDays,
    now,
  })
  const layout = layoutOf(repository)
  for (const product of names.slice(1)) {
    const versions = Array.from({ length: perProduct }, (_, minor) => parseReleaseVersion(`1.${minor}.0`))
    await copyEach(
      join(layout.targets, first, one.version),
      versions.map((version) => join(layout.targets, product, version)),
    )
    await copyEach(
      join(layout.bundles, bundleNameOf(one)),
      versions.map((version) => join(layout.bundles, bundleNameOf({ ...one, product, version }))),
    )
  }
  await commitFiles(repository, { metadata: changed })
  return { repository, product: nameOf(Math.floor(products / 2)), version: `1.${perProduct - 1}.0` }
}

/** The two targets of the model under other names, a pair for each release. */
const copiesOf = (
  model: Readonly<Record<string, TufTarget>>,
  from: string,
  product: string,
  releases: number,
): Record<string, TufTarget> => {
  const copies: Record<string, TufTarget> = {}
  for (let minor = 0; minor < releases; minor += 1) {
    const renamed = JSON.stringify(model).replaceAll(`${from}/1.0.0/`, `${product}/1.${minor}.0/`)
    for (const [path, target] of Object.entries(JSON.parse(renamed) as Record<string, TufTarget>)) {
      const { custom } = target
      copies[path] =
        custom === undefined ? target : { ...target, custom: { ...custom, product, version: `1.${minor}.0` } }
    }
  }
  return copies
}

/** The files of a folder in others. The first has bytes of its own, the rest links to them: no file system has endless links. */
const copyEach = async (from: string, [to, ...others]: readonly string[]): Promise<void> => {
  if (to === undefined) return
  await mkdir(to, { recursive: true })
  for (const name of await readdir(from)) await copyFile(join(from, name), join(to, name))
  for (const other of others) {
    await mkdir(other, { recursive: true })
    for (const name of await readdir(to)) await link(join(to, name), join(other, name))
  }
}
