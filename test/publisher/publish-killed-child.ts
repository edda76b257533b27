// Publishes, and kills its own process the moment that a step begins. Arguments: workspace folder, step.
import { join } from 'node:path'
import { fileKeys } from '../../publisher/src/keys/key-file.ts'
import { release } from './release.ts'

const [directory = '', step = ''] = process.argv.slice(2)
const keysDirectory = join(directory, 'r.keys')
const workspace = {
  directory,
  repository: join(directory, 'r'),
  keysDirectory,
  keys: fileKeys(keysDirectory, async () => undefined),
  build: join(directory, 'build'),
  [Symbol.asyncDispose]: async () => {},
}
const onStep = (reached: string) => {
  if (reached === step) process.kill(process.pid, 'SIGKILL')
}
await release(workspace, { version: '1.1.0' }, { onStep })
