// Attacks by machines that speak of metadata, on a real agent process: what they say is a rumour, and what they give is judged.
import { createHash } from 'node:crypto'
import { afterEach, expect } from '@jest/globals'
import { topicOf } from '@updraft/core/swarm/news/news'
import { startProgram } from '../../scripts/demo/program.ts'
import { attackTest } from '../support/attack-row.ts'
import { answering, callAsNewsPeer, type NewsPeer, type NewsPeerOptions, openNewsPeer } from '../support/news-peer.ts'
import { EVERYTHING, simulateRepository } from '../support/repository-simulator.ts'
import { expectInstalled, expectKept, expectRefused, openScene, type Scene } from './scene.ts'

const peers: NewsPeer[] = []
afterEach(async () => {
  for (const peer of peers.splice(0)) await peer[Symbol.asyncDispose]()
})

const peer = async (options: NewsPeerOptions): Promise<NewsPeer> => {
  const opened = await openNewsPeer(options)
  peers.push(opened)
  return opened
}

/** A machine that has these files, and says which version its timestamp has. */
const having = (files: ReadonlyMap<string, Buffer>, timestamp: number): Promise<NewsPeer> =>
  peer({
    onReady: ({ tell }) => tell({ kind: 'have', root: 1, timestamp, snapshot: timestamp }),
    onMessage: answering(files),
  })

/** The source answers nobody any more. */
const silence = ({ origin }: Scene): void => {
  origin.hijack = (_path, _request, response) => {
    response.destroy()
    return true
  }
}

const know = ({ victim }: Scene, known: readonly NewsPeer[], more: Readonly<Record<string, unknown>> = {}) =>
  victim.configure(more, { peers: known.map(({ address }) => address) })

const UNREACHABLE = { exitCode: 7, error: 'SOURCE_UNREACHABLE', finding: 'source-unreachable', withinMs: 45_000 }

attackTest('lying peer', 'metadata of another repository, said to be far newer', async (saw) => {
  await using scene = await openScene()
  const foreign = simulateRepository({ products: ['acme'] })
  foreign.addRelease('acme', '9.0.0')
  foreign.publish('acme', ...EVERYTHING.slice(1))
  silence(scene)
  const stranger = await having(foreign.files, 1_000_000)
  await know(scene, [stranger])
  expectRefused(saw(await scene.victim.look()), UNREACHABLE)
  expect(stranger.talks()).toBeGreaterThan(0)
})

attackTest('lying peer', 'older metadata that was signed once, said to be newer (rollback)', async (saw) => {
  await using scene = await openScene()
  const old = new Map(scene.repository.files)
  await scene.release('1.1.0')
  const before = saw(await scene.victim.look())
  expectInstalled(before, scene, '1.1.0')
  silence(scene)
  const stale = await having(old, 1_000_000)
  await know(scene, [stale])
  expectKept(saw(await scene.victim.look()), before, UNREACHABLE)
  expect(stale.talks()).toBeGreaterThan(0)
})

attackTest('lying peer', 'garbage, while an honest machine has the release', async (saw) => {
  await using scene = await openScene()
  const garbage = new Map([...scene.repository.files.keys()].map((path) => [path, Buffer.alloc(99, 'x')] as const))
  const liar = await having(garbage, 1_000_000)
  const honest = await having(scene.repository.files, 1)
  silenceMetadata(scene)
  await know(scene, [liar, honest])
  const look = saw(await scene.victim.look())
  expect(look).toMatchObject({ exitCode: 0, installed: '1.0.0', digest: scene.digests['1.0.0'] })
  expect(look.findings).toEqual(['source-unreachable'])
  expect(liar.talks()).toBeGreaterThan(0)
})

/** Metadata and targets are out of reach; bundles are not, since these peers are in no swarm. */
const silenceMetadata = ({ origin }: Scene): void => {
  origin.hijack = (path, _request, response) => {
    if (path.startsWith('bundles/')) return false
    response.destroy()
    return true
  }
}

attackTest(
  'endless data',
  'a peer that says its timestamp has a terabyte, or sends a part without an end',
  async (saw) => {
    await using scene = await openScene()
    silence(scene)
    const have = { kind: 'have', root: 1, timestamp: 5, snapshot: 5 } as const
    const giant = await peer({
      onReady: ({ tell }) => tell(have),
      onMessage: (message, { tell }) => {
        if (message.kind !== 'get') return
        tell({ kind: 'part', id: message.id, totalBytes: 2 ** 40, bytes: Buffer.alloc(65_536) })
      },
    })
    const endless = await peer({
      onReady: ({ tell, socket }) => {
        tell(have)
        const head = Buffer.from([0x7f, 0xff, 0xff, 0xff, 20, 1])
        const send = (): void => {
          while (!socket.destroyed && socket.write(Buffer.alloc(65_536, 'd'))) {}
        }
        socket.write(head)
        socket.on('drain', send)
        send()
      },
    })
    await know(scene, [giant, endless])
    expectRefused(saw(await scene.victim.look()), UNREACHABLE)
  },
)

attackTest(
  'malformed messages',
  'what is no message, answers that nobody asked for, a path that leaves',
  async (saw) => {
    await using scene = await openScene()
    silence(scene)
    const known = await Promise.all([
      peer({ onReady: ({ say }) => say(Buffer.from('d1:ti1ee')) }),
      peer({ onReady: ({ say }) => say(Buffer.from('l-3:')) }),
      peer({ onReady: ({ tell }) => tell({ kind: 'part', id: 77, totalBytes: 1, bytes: Buffer.alloc(1) }) }),
      peer({ onReady: ({ tell }) => tell({ kind: 'get', id: 0, path: 'metadata/../../../agent.db', offset: 0 }) }),
    ])
    await know(scene, known)
    expectRefused(saw(await scene.victim.look()), UNREACHABLE)
  },
)

attackTest(
  'flood of announcements',
  'a peer that calls again and again and says each time that it is newer',
  async (saw) => {
    await using scene = await openScene()
    expectInstalled(saw(await scene.victim.look()), scene, '1.0.0')
    const asked = () => scene.origin.requests.filter((path) => path === 'metadata/timestamp.json').length
    const running = await startProgram('updraft-agent', ['run'], {
      environment: scene.victim.environment,
      isReady: async () => asked() >= 2, // The look at its start.
    })
    try {
      const port = Number(/port (\d+)/.exec(running.stderr())?.[1])
      const topic = topicOf(createHash('sha256').update(scene.repository.rootBytes(1)).digest('hex'))
      for (let call = 0; call < 40; call += 1) {
        // Each is over when the agent hangs up, because it has said too much.
        await callAsNewsPeer(port, topic, {
          onReady: ({ tell }) => {
            for (let n = 1; n <= 100; n += 1) tell({ kind: 'have', root: 1, timestamp: 1_000 + n, snapshot: 1 })
          },
        })
      }
      expect(asked()).toBeLessThanOrEqual(3)
    } finally {
      await running.stop()
    }
    const after = saw(await scene.victim.look())
    expectInstalled(after, scene, '1.0.0')
  },
)

attackTest(
  'release made older',
  'one of three named machines says that it has known a release for years',
  async (saw) => {
    await using scene = await openScene()
    const saying = (ageSeconds: number | undefined) =>
      peer({
        onReady: ({ tell }) => tell({ kind: 'have', root: 1, timestamp: 1, snapshot: 1 }),
        onMessage: (message, { tell }) => {
          if (message.kind !== 'when') return
          const { id } = message
          tell(ageSeconds === undefined ? { kind: 'none', id } : { kind: 'seen', id, ageSeconds })
        },
      })
    const liar = await saying(10 ** 9)
    const patient = { minimumAgeHours: 48, minimumAgeFrom: 'named-peers' }
    await know(scene, [liar, await saying(60), await saying(undefined)], patient)
    const look = saw(await scene.victim.look())
    expect(look).toMatchObject({ exitCode: 0, installed: undefined, seeded: 0 })
    expect(liar.talks()).toBeGreaterThan(0)

    // What two of the three have known for long enough is old enough, if it was signed before that.
    await know(scene, [liar, await saying(10 ** 6), await saying(undefined)], patient)
    expectInstalled(saw(await scene.victim.look()), scene, '1.0.0')
  },
)
