import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from '@jest/globals'
import { restRule } from '../../agent/src/rest.ts'

const CALM = { activeMs: 5, elapsedMs: 5_000 }
const BUSY = { activeMs: 2_000, elapsedMs: 5_000 }

test('memory is given back once the start is over', () => {
  const isDue = restRule()
  expect([BUSY, BUSY, CALM, CALM, CALM].map(isDue)).toEqual([false, false, true, false, false])
})

test('and again after work, when that is over', () => {
  const isDue = restRule()
  isDue(CALM)
  expect([BUSY, CALM, CALM].map(isDue)).toEqual([false, true, false])
})

test('what an idle agent does is worth it now and then only', () => {
  const isDue = restRule()
  const looks = Array.from({ length: 600 }, () => isDue(CALM))
  expect(looks.filter(Boolean)).toHaveLength(10) // At once, and after every 300 ms of work.
})

test('V8 collects, in a program that was started without a flag for it', async () => {
  const program = `
    import { givingMemoryBack } from ${JSON.stringify(import.meta.resolve('../../agent/src/rest.ts'))}
    const registry = new FinalizationRegistry(() => process.exit(7))
    ;(() => registry.register({ some: 'thing' }, undefined))()
    givingMemoryBack(undefined, 20)
    setInterval(() => {}, 1_000)`
  const [code] = await once(spawn(process.execPath, ['--input-type=module', '-e', program]), 'exit')
  expect(code).toBe(7)
})
