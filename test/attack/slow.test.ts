// Attacks that keep a real agent process waiting: whoever answers byte by byte, or not at all, is given up within a time.
import { expect } from '@jest/globals'
import { waitingAttackTest } from '../support/attack-row.ts'
import { openNewsPeer } from '../support/news-peer.ts'
import { drip } from './hostile-origin.ts'
import { expectKept, expectRefused, openScene } from './scene.ts'

const UNREACHABLE = { exitCode: 7, error: 'SOURCE_UNREACHABLE', finding: 'source-unreachable' }
const STALLED = { exitCode: 7, error: 'SWARM_STALLED' }

waitingAttackTest(
  'slow retrieval',
  'the timestamp comes byte by byte',
  async (saw) => {
    await using scene = await openScene()
    const before = saw(await scene.victim.look())
    scene.origin.hijack = (path, _, response) => {
      if (path !== 'metadata/timestamp.json') return false
      drip(response, 200)
      return true
    }
    // Thirty seconds are the limit for one metadata file.
    expectKept(saw(await scene.victim.look()), before, { ...UNREACHABLE, withinMs: 45_000 })
  },
  90_000,
)

waitingAttackTest(
  'slow retrieval',
  'the only web seed sends the pack byte by byte',
  async (saw) => {
    await using scene = await openScene({ stallTimeoutSeconds: 2 })
    const bytes = [...scene.repository.files].find(([path]) => path.endsWith('/pack'))?.[1].length ?? 0
    scene.origin.hijack = (path, { headers }, response) => {
      if (!path.endsWith('/pack')) return false
      drip(response, 200, { 'content-range': `${headers.range?.replace('=', ' ')}/${bytes}` })
      return true
    }
    expectRefused(saw(await scene.victim.look()), STALLED)
    expect(scene.origin.requests.some((path) => path.endsWith('/pack'))).toBe(true)
  },
  60_000,
)

waitingAttackTest(
  'slow retrieval',
  'peers that never say what they have, or never answer',
  async (saw) => {
    await using scene = await openScene()
    scene.origin.hijack = (_path, _request, response) => {
      response.destroy()
      return true
    }
    await using mute = await openNewsPeer({})
    await using silent = await openNewsPeer({
      onReady: ({ tell }) => tell({ kind: 'have', root: 1, timestamp: 5, snapshot: 5 }),
    })
    await scene.victim.configure({}, { peers: [mute.address, silent.address] })
    expectRefused(saw(await scene.victim.look()), { ...UNREACHABLE, withinMs: 45_000 })
    expect(silent.talks()).toBeGreaterThan(0)
  },
  60_000,
)
