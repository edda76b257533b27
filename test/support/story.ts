// Tests that are one story: what comes after a step that failed cannot be told, and is not waited for.
import { test } from '@jest/globals'

export type Step = (name: string, body: () => void | Promise<void>, timeoutMs?: number) => void

/** `onFailure` may keep what there was to see. */
export const story = (onFailure: () => Promise<void> = async () => {}): Step => {
  let failed: string | undefined
  return (name, body, timeoutMs) => {
    const run = async (): Promise<void> => {
      if (failed !== undefined) throw new Error(`left out, because "${failed}" failed`)
      try {
        await body()
      } catch (error) {
        failed = name
        await onFailure()
        throw error
      }
    }
    if (timeoutMs === undefined) test(name, run)
    else test(name, run, timeoutMs)
  }
}
