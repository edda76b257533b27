// Looking at processes from outside, to prove that none is left behind.
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

/**
 * Command lines of all running processes that name `text`, there or at the beginning of a variable of their environment, this
 * one excluded. Linux only: it reads /proc.
 */
export const processesNaming = (text: string): readonly string[] =>
  readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
        const environment = readFileSync(`/proc/${pid}/environ`, 'utf8')
        return line.includes(text) || environment.includes(`=${text}`) ? [line] : []
      } catch {
        return [] // It ended while we looked, or belongs to somebody else.
      }
    })

/** What was killed takes a moment to die; one that lives on lets the test run out of time. */
export const whenGone = async (text: string): Promise<void> => {
  while (processesNaming(text).length > 0) await delay(10)
}
