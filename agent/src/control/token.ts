// The token of the control API on a port: made anew each time that the port is opened, so that one that got about is worth
// nothing after the next start, and kept in one file that only the agent's own user may read.
import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { writeFileAtomic } from '@updraft/core/files/atomic'

/** 256 bits. Errors: DISK_FULL, PERMISSION, IO. */
export const makeToken = async (file: string): Promise<string> => {
  const token = randomBytes(32).toString('base64url')
  await writeFileAtomic(file, `${token}\n`, { mode: 0o600 })
  return token
}

export const removeToken = (file: string): Promise<void> => rm(file, { force: true })
