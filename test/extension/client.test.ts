import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { AgentEvent } from '@updraft/core/control/api'
import { UpdateError } from '@updraft/core/errors'
import { type Connection, followAgent, type News } from '../../extension/src/client.ts'
import { type ControlServer, productOf, startControlServer, statusOf, updateOf } from './control-server.ts'

/** News in the order in which they came; `next` waits for the first that fits and drops what was before it. */
const collectNews = () => {
  const news: News[] = []
  let wake = (): void => {}
  const next = async <Kind extends News['kind']>(
    kind: Kind,
    fits: (news: Extract<News, { kind: Kind }>) => boolean = () => true,
  ): Promise<Extract<News, { kind: Kind }>> => {
    for (;;) {
      const one = news.shift()
      if (one === undefined) await new Promise<void>((resolve) => (wake = resolve))
      else if (one.kind === kind && fits(one as never)) return one as never
    }
  }
  const onNews = (one: News): void => {
    news.push(one)
    wake()
  }
  return { onNews, next, waiting: news }
}

const download = (haveBytes: number): AgentEvent => ({
  kind: 'update',
  product: 'acme',
  update: updateOf({ haveBytes }),
})
const RETRY_AT_ONCE = [5]

let folder: string
let socketPath: string
let news: ReturnType<typeof collectNews>
const open: (Disposable | AsyncDisposable)[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'updraft-client-'))
  socketPath = join(folder, 'a.sock')
  news = collectNews()
})

afterEach(async () => {
  for (const one of open.splice(0).reverse()) {
    if (Symbol.asyncDispose in one) await one[Symbol.asyncDispose]()
    else one[Symbol.dispose]()
  }
  await rm(folder, { recursive: true })
})

const connect = (sockets = () => [socketPath] as readonly string[], retryDelaysMs = RETRY_AT_ONCE): Connection => {
  const connection = followAgent({ sockets, onNews: news.onNews, retryDelaysMs })
  open.push(connection)
  return connection
}
const startAgent = async (path = socketPath, cursor = 7): Promise<ControlServer> => {
  const agent = await startControlServer(path, statusOf([productOf('acme')], cursor))
  open.push(agent)
  return agent
}
const stopAgent = async (agent: ControlServer): Promise<void> => {
  open.splice(open.indexOf(agent), 1)
  await agent[Symbol.asyncDispose]()
}
const followed = async (agent: ControlServer): Promise<void> => {
  while (agent.listeners() === 0) await new Promise(setImmediate)
}

describe('finding the agent', () => {
  test('tells the status and then follows its events', async () => {
    const agent = await startAgent()
    connect()
    expect(await news.next('status')).toMatchObject({ socketPath, status: { cursor: 7 } })
    await followed(agent)
    agent.tell(download(50))
    expect((await news.next('event')).recorded).toMatchObject({ cursor: 8, event: { kind: 'update' } })
  })

  test('says at once when no agent runs, and connects when one starts', async () => {
    connect()
    expect(await news.next('lost')).toMatchObject({ reason: 'not-running' })
    await startAgent()
    expect(await news.next('status')).toMatchObject({ status: { cursor: 7 } })
  })

  test('takes the first socket that answers', async () => {
    await startAgent()
    connect(() => [join(folder, 'none.sock'), socketPath])
    expect(await news.next('status')).toMatchObject({ socketPath })
  })

  test('"no permission" on one socket says more than "nobody there" on another', async () => {
    const agent = await startAgent()
    agent.problem = { type: 'x', title: 'x', status: 403, detail: 'not for you', code: 'PERMISSION' }
    connect(() => [join(folder, 'none.sock'), socketPath])
    expect(await news.next('lost')).toMatchObject({ reason: 'no-permission', message: 'not for you' })
  })

  test('an agent of another version of the API is incompatible', async () => {
    const agent = await startAgent()
    agent.problem = { type: 'x', title: 'x', status: 410, detail: 'this is version 9', code: 'GONE' }
    connect()
    expect(await news.next('lost')).toMatchObject({ reason: 'incompatible' })
  })

  test('a place that cannot be is misconfigured', async () => {
    connect(() => {
      throw new UpdateError('USAGE', 'not an absolute path: a.sock')
    })
    expect(await news.next('lost')).toMatchObject({ reason: 'misconfigured', message: 'not an absolute path: a.sock' })
  })

  test('the same failure is told once, however often it is met', async () => {
    let attempts = 0
    let enough = (): void => {}
    const reached = new Promise<void>((resolve) => (enough = resolve))
    connect(() => {
      attempts += 1
      if (attempts > 10) enough()
      return [socketPath]
    })
    await reached
    expect(news.waiting).toHaveLength(1)
  })
})

describe('keeping it', () => {
  test('an agent that restarts is not told as lost', async () => {
    const agent = await startAgent()
    connect(undefined, [20, 20, 20, 5_000])
    await news.next('status')
    await followed(agent)
    await stopAgent(agent)
    await startAgent(socketPath, 30)
    expect(await news.next('status')).toMatchObject({ status: { cursor: 30 } })
  })

  test('an agent that stays away is told as lost', async () => {
    const agent = await startAgent()
    connect()
    await news.next('status')
    await followed(agent)
    await stopAgent(agent)
    expect(await news.next('lost')).toMatchObject({ reason: 'not-running' })
  })

  test('the status is read again after anything that an event does not say in full', async () => {
    const agent = await startAgent()
    connect()
    await news.next('status')
    await followed(agent)
    agent.tell({ kind: 'installed', product: 'acme', version: '1.1.0' })
    expect(await news.next('status')).toMatchObject({ status: { cursor: 8 } })
  })

  test('progress alone does not make it read the status again', async () => {
    const agent = await startAgent()
    connect()
    await news.next('status')
    await followed(agent)
    for (let share = 0; share < 100; share++) agent.tell(download(share))
    await news.next('event', ({ recorded }) => recorded.cursor === 107)
    expect(agent.statusReads()).toBe(1)
  })

  test('a hundred other events make it read the status a few times, and the last status contains them all', async () => {
    const agent = await startAgent()
    connect()
    await news.next('status')
    await followed(agent)
    for (let i = 0; i < 100; i++) agent.tell({ kind: 'check', source: 'main' })
    await news.next('status', ({ status }) => status.cursor === 107)
    expect(agent.statusReads()).toBeLessThan(5)
  })

  test('an event that overtakes the status is told again after it', async () => {
    const agent = await startAgent()
    connect()
    await news.next('status')
    await followed(agent)
    agent.beforeStatus = () => agent.tell(download(99))
    agent.tell({ kind: 'check', source: 'main' })
    expect(await news.next('status')).toMatchObject({ status: { cursor: 8 } })
    expect((await news.next('event')).recorded.cursor).toBe(9)
  })

  test('a reset makes it start again from the status', async () => {
    const agent = await startAgent()
    connect()
    await news.next('status')
    await followed(agent)
    agent.tell({ kind: 'reset' })
    expect(await news.next('status')).toMatchObject({ status: { cursor: 8 } })
  })
})

describe('asking', () => {
  test('a check names its product, or none', async () => {
    const agent = await startAgent()
    const connection = connect()
    await news.next('status')
    await connection.ask((client, options) => client.check({ product: 'acme' }, options))
    await connection.ask((client, options) => client.check({}, options))
    expect(agent.checks).toEqual([{ product: 'acme' }, {}])
  })

  test('a check without an agent says so', async () => {
    const connection = connect()
    await news.next('lost')
    await expect(connection.ask((client) => client.status())).rejects.toMatchObject({ code: 'AGENT_NOT_RUNNING' })
  })

  test('a refresh reads the status again', async () => {
    await startAgent()
    const connection = connect()
    await news.next('status')
    connection.refresh()
    await news.next('status')
  })

  test('a refresh ends the pause before the next attempt', async () => {
    const connection = connect(undefined, [600_000])
    await news.next('lost')
    await startAgent()
    connection.refresh()
    await news.next('status')
  })

  test('a restart looks for the agent where it has to be found now', async () => {
    const other = join(folder, 'b.sock')
    await startAgent()
    await startAgent(other, 40)
    let place = socketPath
    const connection = connect(() => [place])
    await news.next('status')
    place = other
    connection.restart()
    expect(await news.next('status')).toMatchObject({ socketPath: other, status: { cursor: 40 } })
  })

  test('nothing is asked and nothing stays open after it was disposed', async () => {
    const agent = await startAgent()
    const connection = connect()
    await news.next('status')
    await followed(agent)
    connection[Symbol.dispose]()
    while (agent.listeners() > 0) await new Promise(setImmediate)
    expect(agent.statusReads()).toBe(1)
  })
})
