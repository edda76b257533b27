// The mark of the programs that are run for a product; see hook/leftovers.ts. Two of one product never run at once.
import { dirname } from 'node:path'
import type { ActivatorContext } from '../activation.ts'
import { linkOf } from '../current-link.ts'

export const hookMarkOf = ({ product, productsDirectory }: ActivatorContext): string =>
  dirname(linkOf(productsDirectory, product))
