// The order of test files. Jest begins with the largest where it knows no durations, as in a clean clone; but what takes longest here
// is in small files, and at the end both versions of VS Code would start beside each other.
import Sequencer from '@jest/test-sequencer'

/** Each takes minutes; so that the second VS Code begins after the first has ended. */
const FIRST = ['vscode/latest', 'system/kill-matrix', 'system/fault-grid', 'vscode/floor']

const rankOf = ({ path }) => {
  const rank = FIRST.findIndex((name) => path.endsWith(`test/${name}.test.ts`))
  return rank === -1 ? FIRST.length : rank
}

export default class extends Sequencer {
  sort(tests) {
    return super.sort(tests).sort((a, b) => rankOf(a) - rankOf(b))
  }
}
