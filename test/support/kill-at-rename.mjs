// Preloaded into a process (`--import`): it is killed at its `KILL_AT`-th rename, before or after that has happened. What is
// written by temporary name and rename is cut at every step in this way.
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

let left = Number(process.env.KILL_AT)
const before = process.env.KILL_WHEN === 'before'
const rename = fs.renameSync
fs.renameSync = (...args) => {
  left -= 1
  if (left === 0 && before) process.kill(process.pid, 'SIGKILL')
  rename(...args)
  if (left === 0) process.kill(process.pid, 'SIGKILL')
}
syncBuiltinESMExports()
delete process.env.KILL_AT
