// How a test about an attack says what was seen: one row of the attack table. What stands in a row was observed while the
// test ran; without the variable that names the table's file it is an ordinary test.
import { test } from '@jest/globals'
import { messageOf } from '@updraft/core/errors'
import { appendAttackRow, type Sighting } from '../../scripts/attack-rows.ts'

export type { Sighting } from '../../scripts/attack-rows.ts'

/** Hands on what it is given, and puts it into the row. */
export type Saw = <Seen extends Sighting>(seen: Seen) => Seen

/**
 * A test named `<attack>: <tried>`. The attack is held if `run` ends without an error; `run` gives everything it sees of
 * the victim to `saw`, also what it then finds wanting.
 */
export const attackTest = (attack: string, tried: string, run: AttackRun, timeoutMs = 60_000): void =>
  test(`${attack}: ${tried}`, observed(attack, tried, run), timeoutMs)

/** The same for one that does nothing but wait most of the time: those of one file run beside each other. */
export const waitingAttackTest = (attack: string, tried: string, run: AttackRun, timeoutMs: number): void =>
  test.concurrent(`${attack}: ${tried}`, observed(attack, tried, run), timeoutMs)

type AttackRun = (saw: Saw) => Promise<void>

const observed = (attack: string, tried: string, run: AttackRun) => async (): Promise<void> => {
  const seen: Sighting[] = []
  const saw: Saw = (sighting) => {
    seen.push(sighting)
    return sighting
  }
  let fault: unknown
  try {
    await run(saw)
    if (seen.length === 0) throw new Error('nothing was seen of the victim')
  } catch (error) {
    fault = error
    throw error
  } finally {
    const did = seen.map((sighting) => sighting.did)
    if (fault !== undefined) did.push(`not held: ${messageOf(fault).split('\n', 1)[0]}`)
    const left = seen.at(-1)?.left ?? 'unknown'
    await appendAttackRow({ attack, tried, did: did.join('; then '), left, held: fault === undefined })
  }
}
