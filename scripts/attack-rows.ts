// The file through which attack tests hand their rows to the table of `npm run test:attack`: one line of JSON a row. Both
// ends of it are here.
import { existsSync, readFileSync } from 'node:fs'
import { appendFile } from 'node:fs/promises'

/** What one look at the victim showed. */
export interface Sighting {
  /** What the agent did: exit code, findings, time. */
  readonly did: string
  /** What was on its disk afterwards. */
  readonly left: string
}

export interface AttackRow extends Sighting {
  readonly attack: string
  readonly tried: string
  readonly held: boolean
}

/** The environment variable that names the file; without it rows are not kept. */
export const ATTACK_ROWS_FILE = 'UPDRAFT_ATTACK_ROWS'

export const appendAttackRow = async (row: AttackRow): Promise<void> => {
  const file = process.env[ATTACK_ROWS_FILE]
  // Short lines that are appended in one call do not mix, though several test processes write to the file.
  if (file !== undefined && file !== '') await appendFile(file, `${JSON.stringify(row)}\n`)
}

/** All rows, those of one attack together: test files run side by side. */
export const readAttackRows = (file: string): readonly AttackRow[] => {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').trim().split('\n')
  const rows = lines.map((line) => JSON.parse(line) as AttackRow)
  return rows.sort((a, b) => a.attack.localeCompare(b.attack))
}
