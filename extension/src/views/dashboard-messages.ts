// What the extension and the page of its dashboard say to each other. Numbers and cleaned text only.
import type { Sample } from '../activity.ts'

/** Words in the language of the screen, for the page has no l10n of its own. */
export interface DashboardWords {
  readonly fromPeers: string
  readonly fromOrigin: string
  readonly upload: string
  readonly time: string
  readonly noTransfers: string
  readonly cursorHelp: string
}

export interface Part {
  readonly name: string
  readonly value: number
  /** `12 MB` or `3`. */
  readonly shown: string
}

export interface TransferRow {
  readonly name: string
  /** From 0 to 1. */
  readonly share: number
  readonly shown: string
  readonly peers: string
  readonly given: string
}

/** How many machines have which version of one product, for one platform. */
export interface FleetTable {
  readonly title: string
  readonly rows: readonly Part[]
}

export type ToPage =
  | {
      readonly kind: 'start'
      readonly language: string
      readonly words: DashboardWords
      readonly samples: readonly Sample[]
    }
  | { readonly kind: 'sample'; readonly sample: Sample }
  | {
      readonly kind: 'now'
      readonly summary: string
      readonly sources: readonly Part[]
      readonly peers: readonly Part[]
      readonly transfers: readonly TransferRow[]
    }
  | { readonly kind: 'fleet'; readonly tables: readonly FleetTable[] }

export interface FromPage {
  readonly kind: 'ready'
}

export const isFromPage = (value: unknown): value is FromPage =>
  typeof value === 'object' && value !== null && (value as { kind?: unknown }).kind === 'ready'
