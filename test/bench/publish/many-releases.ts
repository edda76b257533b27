// A repository of many products and releases, for commands that only sign metadata. One release is published really; the others
// are signed as copies of it, since no command that is measured here looks at their bytes.
import { join } from 'node:path'
import { parsePlatform, parseProduct, parseReleaseVersion, STABLE_CHANNEL } from '@updraft/core/names'
import type { TufTarget } from '@updraft/core/trust/metadata'
import { initRepository } from '../../../publisher/src/init.ts'
import { fileKeys } from '../../../publisher/src/keys/key-file.ts'
import { openSigners } from '../../../publisher/src/keys/signer.ts'
import { publish } from '../../../publisher/src/publish.ts'
import { commitFiles } from '../../../publisher/src/repository/commit.ts'
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
