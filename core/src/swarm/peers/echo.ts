// Measures the way to a peer and back (BEP 10, `ud_echo`): one sends what its clock says, the other answers with that and its own.
// Every agent answers; who measures, and how often, is its own business.
import { extend } from './extension-message.ts'
import type { Link } from './link.ts'

export interface Echo {
  readonly isUnderstood: boolean
  /** Sends a question, behind everything that was sent so far. The answer brings `mark` back. */
  measure(mark: number): void
}

export interface Measurement {
  /** Of the way there, and of the way back: by two clocks, so only differences between two measurements mean something. */
  readonly upMs: number
  readonly downMs: number
  readonly mark: number
}

/** Who asks more often gets no answer: a measurement is not worth more. */
const ANSWERS_PER_SECOND_MAX = 50
const ASKED_MAX = 50

export const createEcho = ({ wire }: Link, now: () => number, onMeasured: (measurement: Measurement) => void): Echo => {
  /** What was asked and not answered, in tenths of milliseconds, with its mark. */
  const asked = new Map<number, number>()
  let answers = 0
  let answersSince = now()
  const clock = (): number => Math.round(now() * 10)

  const mayAnswer = (): boolean => {
    if (now() - answersSince > 1_000) {
      answersSince = now()
      answers = 0
    }
    answers += 1
    return answers <= ANSWERS_PER_SECOND_MAX
  }

  const extension = extend(wire, 'ud_echo', ({ entries }) => {
    const [question, answer, theirs] = ['q', 'a', 'r'].map((key) => entries.get(key))
    if (typeof question === 'number' && mayAnswer()) extension.send({ a: question, r: clock() })
    if (typeof answer !== 'number' || typeof theirs !== 'number') return
    const mark = asked.get(answer)
    if (mark === undefined) return
    asked.delete(answer)
    const time = clock()
    onMeasured({
      mark,
      upMs: (theirs - answer) / 10,
      downMs: (time - theirs) / 10,
    })
  })

  return {
    get isUnderstood() {
      return extension.isUnderstood
    },
    measure: (mark) => {
      if (!extension.isUnderstood) return
      const time = clock()
      const [oldest] = asked.keys()
      if (asked.size >= ASKED_MAX && oldest !== undefined) asked.delete(oldest)
      asked.set(time, mark)
      extension.send({ q: time })
    },
  }
}
