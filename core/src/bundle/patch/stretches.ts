// A window of the source: stretches of it, put end to end. Says where each byte is in all of the source, which is what a patch
// speaks of. Pure.
import type { Operations } from './matching.ts'

export interface Stretches {
  /** Where each begins in the window, and, as one more row, the length of the window. */
  readonly places: Float64Array
  /** Where each begins in the source. */
  readonly positions: Float64Array
  /** Of the source. */
  readonly sourceLength: number
}

/** The source position of a place in the window. */
export const positionAt = ({ places, positions }: Stretches, place: number): number => {
  const row = rowOf(places, place)
  return (positions[row] ?? 0) + place - (places[row] ?? 0)
}

/** The place in the window of a source position that it has. */
export const placeAt = ({ places, positions }: Stretches, position: number): number => {
  const row = rowOf(positions, position)
  return (places[row] ?? 0) + position - (positions[row] ?? 0)
}

/** Where the stretch ends that has this place. */
export const endAt = ({ places }: Stretches, place: number): number => places[rowOf(places, place) + 1] ?? 0

/** The same operations with each copy cut in two where it goes from one stretch into the next. */
export const cutAtEnds = ({ moves, copies, literals }: Operations, stretches: Stretches): Operations => {
  const cut = { moves: [] as number[], copies: [] as number[], literals: [] as number[] }
  const add = (move: number, copy: number, literal: number): void => {
    cut.moves.push(move)
    cut.copies.push(copy)
    cut.literals.push(literal)
  }
  let place = 0
  for (const [row, all] of copies.entries()) {
    let move = moves[row] ?? 0
    let copy = all
    place += move
    for (let room = endAt(stretches, place) - place; copy > room; room = endAt(stretches, place) - place) {
      add(move, room, 0)
      move = 0
      copy -= room
      place += room
    }
    add(move, copy, literals[row] ?? 0)
    place += copy
  }
  return cut
}

/** The last row that begins at or before `at`. One of no bytes does not count. */
const rowOf = (starts: Float64Array, at: number): number => {
  let [low, high] = [0, starts.length - 1]
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if ((starts[middle] ?? 0) <= at) low = middle
    else high = middle - 1
  }
  return low
}
