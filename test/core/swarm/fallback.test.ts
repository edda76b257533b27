// When the origin's web server is asked, and why.
import { expect, test } from '@jest/globals'
import { type FallbackFacts, fallbackReasonOf, fallbackText } from '@updraft/core/swarm/web/fallback'

const MIB = 1024 * 1024
const facts = (differing: Partial<FallbackFacts>): FallbackFacts => ({
  elapsedMs: 5_000,
  delayMs: 1_000,
  isLookingForPeers: false,
  connectedPeers: 4,
  peerBytesPerSecond: 2 * MIB,
  missingBytes: 100 * MIB,
  deadlineMs: undefined,
  ...differing,
})

test.each<[string, Partial<FallbackFacts>, string | undefined]>([
  ['peers that are fast suffice', {}, undefined],
  ['peers that are slow do not', { peerBytesPerSecond: MIB / 2 }, 'slow-peers'],
  ['peers are given their time first', { elapsedMs: 900, peerBytesPerSecond: 0 }, undefined],
  ['and longer, if the owner says so', { delayMs: 10_000, peerBytesPerSecond: 0 }, undefined],
  ['nobody waits for peers that nobody knows of', { elapsedMs: 0, connectedPeers: 0 }, 'no-peers'],
  ['who is called may answer', { elapsedMs: 400, connectedPeers: 0, isLookingForPeers: true }, undefined],
  ['but not for long', { elapsedMs: 500, connectedPeers: 0, isLookingForPeers: true }, 'no-answer'],
  ['slow peers that will be done in time suffice', { peerBytesPerSecond: MIB / 2, deadlineMs: 300_000 }, undefined],
  ['fast peers that will not be done in time do not', { deadlineMs: 30_000 }, 'deadline'],
  ['when the time is over, whoever can helps', { deadlineMs: 4_000 }, 'deadline'],
  ['a deadline before the peers’ turn is over waits for nobody', { elapsedMs: 0, deadlineMs: 1_000 }, 'deadline'],
])('%s', (_rule, differing, reason) => {
  expect(fallbackReasonOf(facts(differing))).toBe(reason)
})

test('the reason is told with its values', () => {
  expect(fallbackText('deadline', facts({ deadlineMs: 30_000 }))).toBe(
    'web seeds are asked: 4 peers deliver 2048 KiB/s, too few for 104857600 bytes in the 25 s that are left',
  )
})
