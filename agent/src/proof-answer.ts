// What a proof of an installed product looks like in the control API. One proof runs at a time, whoever asks: each reads every
// file of a product.
import type { ProofAnswer } from '@updraft/core/control/api'
import { LIMITS } from '@updraft/core/limits'
import { parseProduct } from '@updraft/core/names'
import { oneAtATime } from './alone.ts'
import { type ProofOptions, proveTree } from './proof.ts'

const alone = oneAtATime()

/** Errors: PRODUCT_INVALID, and those of `proveTree`. */
export const proofAnswer = (name: string, options: ProofOptions): Promise<ProofAnswer> => {
  const product = parseProduct(name)
  return alone('proof', async () => {
    const { path, isGood, releases, findings, differences } = await proveTree(product, options)
    return {
      product,
      path,
      isGood,
      releases: releases.map(({ version, platform, published, signers, threshold }) => ({
        version,
        platform,
        published,
        signers,
        threshold,
      })),
      findings,
      differences: differences.slice(0, LIMITS.proofDifferencesMax),
      differenceCount: differences.length,
    }
  })
}
