// Files that bring a release: queued here, and each handed to the next look at its product, which then looks there instead of
// at the network. Tells what came of each; never changes or removes the file, and judges nothing but its shape.
import { join } from 'node:path'
import { type ExportFile, openExport } from '@updraft/core/archive/export-file'
import type { AgentEvent } from '@updraft/core/control/api'
import type { Home } from '@updraft/core/control/home'
import { problemOf } from '@updraft/core/control/problem'
import { ERROR_CODES, isUpdateError, UpdateError } from '@updraft/core/errors'
import { removeAll } from '@updraft/core/files/atomic'
import { bundleNameOf, type Product } from '@updraft/core/names'
import { carrierOf } from './carrier.ts'
import type { Look } from './look.ts'
import type { Settings } from './settings.ts'

export interface ImportsOptions {
  readonly home: Pick<Home, 'dataDirectory'>
  readonly settings: () => Settings
  readonly look: Look
  /** Whether the last look at the product found a newer release than the installed one. */
  readonly isBehind: (product: Product) => boolean
  /** Makes the product be looked at once more. */
  readonly check: (product: Product) => void
  readonly tell: (event: AgentEvent) => void
}

export type Ended = 'settled' | 'open'

export interface Imports {
  /**
   * Reads the file, and queues it for a look at its product; what comes of it is told by an event `import`.
   *
   * Errors: EXPORT_INVALID, LIMIT_EXCEEDED; PRODUCT_UNKNOWN if nobody subscribed to it; PERMISSION, IO. Then nothing is told.
   */
  add(path: string): Promise<Product>
  /** A look at the product: at the file that waits for it, or else at its source; and before that at a file that policy held up. */
  readonly look: Look
  /**
   * Resolves once a queued file was imported or refused; `open` if it is worth another try: its release waits for policy, or the
   * machine was not able to take it.
   */
  whenDone(path: string): Promise<Ended>
  /** Tells that `add` refused a file which nobody waits for. */
  refused(path: string, error: unknown): void
}

export const openImports = ({ home, settings, look, isBehind, check, tell }: ImportsOptions): Imports => {
  const queues = new Map<Product, string[]>()
  /** The last file of each product whose release policy did not let in yet. */
  const postponed = new Map<Product, string>()
  const waiting = new Map<string, PromiseWithResolvers<Ended>>()

  const end = (path: string, product: Product, error?: unknown): void => {
    tell({ kind: 'import', file: path, product, ...(error === undefined ? {} : { error: problemOf(error) }) })
    const isPostponed = error === undefined && isBehind(product)
    if (isPostponed) postponed.set(product, path)
    else if (postponed.get(product) === path) postponed.delete(product)
    const isOpen = isPostponed || (error !== undefined && !isVerdict(error))
    waiting.get(path)?.resolve(isOpen ? 'open' : 'settled')
    waiting.delete(path)
  }

  const lookAtFile = async (path: string, ...[product, signal]: Parameters<Look>): Promise<void> => {
    let file: ExportFile | undefined
    try {
      file = await openExport(path, { signal })
      assertProduct(file, product.name)
      await look(product, signal, carrierOf(file))
      end(path, product.name)
    } catch (error) {
      // Broken off, it is looked at again by whoever looks next.
      if (!signal.aborted) end(path, product.name, error)
      else if (postponed.get(product.name) !== path) queues.get(product.name)?.unshift(path)
      throw error
    } finally {
      await file?.[Symbol.asyncDispose]()
      // It is all in the file: unlike a download there is nothing to be spared by keeping a part of it.
      for (const release of file?.releases ?? []) {
        await removeAll(join(home.dataDirectory, 'staging', bundleNameOf(release)))
      }
    }
  }

  return {
    add: async (path) => {
      await using file = await openExport(path)
      const { product } = file
      if (!settings().products.some(({ name }) => name === product)) {
        throw new UpdateError('PRODUCT_UNKNOWN', `${path} brings ${product}, which is not in the settings`, {
          hint: `subscribe to it with: updraft-agent import ${path}`,
        })
      }
      const queue = queues.get(product) ?? []
      queues.set(product, queue)
      if (!queue.includes(path)) queue.push(path)
      if (!waiting.has(path)) waiting.set(path, Promise.withResolvers())
      check(product)
      return product
    },
    look: async (product, signal) => {
      const queue = queues.get(product.name) ?? []
      const path = queue.shift()
      if (path === undefined) {
        const later = postponed.get(product.name)
        // What comes of it is told; that it is too old or gone by now is no failure of this look.
        if (later !== undefined) await lookAtFile(later, product, signal).catch(rethrowIfAborted(signal))
        return await look(product, signal)
      }
      try {
        await lookAtFile(path, product, signal)
      } finally {
        if (queue.length > 0 && !signal.aborted) check(product.name)
      }
    },
    whenDone: async (path) => (await waiting.get(path)?.promise) ?? 'settled',
    refused: (path, error) => tell({ kind: 'import', file: path, error: problemOf(error) }),
  }
}

const rethrowIfAborted =
  (signal: AbortSignal) =>
  (error: unknown): void => {
    if (signal.aborted) throw error
  }

/** Said about the file, and not about this machine. */
const isVerdict = (error: unknown): boolean => isUpdateError(error) && ERROR_CODES[error.code].exit === 'untrusted'

/** The file may be another one than when it was queued. */
const assertProduct = ({ path, product }: ExportFile, wanted: Product): void => {
  if (product !== wanted)
    throw new UpdateError('EXPORT_INVALID', `${path} brings ${product} now, and brought ${wanted}`)
}
