// A port that a program can give up and have again later. Those that the system hands out to whoever asks for any are soon
// somebody else's; these lie below all of them.
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

/** Linux hands out ports from 32768 on, other systems from 49152 on. */
const [FIRST, LAST] = [10_000, 32_767]

/** Free on loopback now, and for a program that stops and starts again. */
export const lastingPort = async (): Promise<number> => {
  for (;;) {
    const port = randomInt(FIRST, LAST + 1)
    const server = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)) // Somebody has it: another one, then.
      server.listen(port, '127.0.0.1', () => resolve(true))
    })
    if (!isFree) continue
    server.close()
    await once(server, 'close')
    return port
  }
}
