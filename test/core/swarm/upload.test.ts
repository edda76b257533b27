// Whom a machine sends to: from the first moment, as long as there is room, and nobody whom it must not.
import { EventEmitter } from 'node:events'
import { expect, test } from '@jest/globals'
import { createBandwidth } from '@updraft/core/swarm/bandwidth'
import { UPLOAD_SLOTS } from '@updraft/core/swarm/peers/choker'
import type { Link } from '@updraft/core/swarm/peers/link'
import { createUpload } from '@updraft/core/swarm/peers/upload'
import { geometryOf } from '@updraft/core/swarm/pieces/geometry'

const BLOCK = 16 * 1024

const make = ({ sharesOutside }: { sharesOutside?: boolean } = {}) => {
  const bandwidth = createBandwidth({ sharesOutside }, Date.now)
  const upload = createUpload({
    geometry: geometryOf({ files: [{ lengthBytes: BLOCK }], lengthBytes: BLOCK, pieceLength: BLOCK }),
    has: () => true,
    read: async (_index, _offset, length) => new Uint8Array(length),
    isFirstCopy: () => false,
    bandwidth,
    hasRoom: () => true,
    onSent: () => {},
    random: Math.random,
    now: Date.now,
  })
  const come = ({ isSeed = false, isNear = false } = {}) => {
    const wire = Object.assign(new EventEmitter(), {
      amChoking: true,
      peerInterested: false,
      peerRequests: [],
      unchoke: () => {
        wire.amChoking = false
      },
      choke: () => {
        wire.amChoking = true
      },
    })
    const link = { wire, isSeed, isNear, isFlushed: true, peer: {}, close: () => {} } as unknown as Link
    upload.add(link)
    upload.greeted(link)
    return {
      link,
      isChoked: () => wire.amChoking,
      wants: () => {
        wire.peerInterested = true
        wire.emit('interested')
      },
      takes: () => new Promise<void>((sent) => wire.emit('request', 0, 0, BLOCK, () => sent())),
    }
  }
  return { upload, bandwidth, come }
}

test('who comes may ask at once, before it has said that it wants something', () => {
  const { come } = make()
  expect(come().isChoked()).toBe(false)
})

test('a seed, and one outside to whom nothing may be sent, are not unchoked', () => {
  const { upload, bandwidth, come } = make({ sharesOutside: false })
  const outside = come()
  outside.wants()
  expect([outside.isChoked(), come({ isNear: true }).isChoked()]).toEqual([true, false])
  expect(come({ isSeed: true, isNear: true }).isChoked()).toBe(true)
  bandwidth.change({})
  const quiet = come()
  expect(quiet.isChoked()).toBe(false)
  bandwidth.change({ sharesOutside: false })
  upload.rechoke()
  expect(quiet.isChoked()).toBe(true)
})

test('no more come in unasked than there are slots, and those who want something do not wait for those who do not', () => {
  const { come } = make()
  const first = Array.from({ length: UPLOAD_SLOTS }, () => come())
  const late = come()
  expect([first.every(({ isChoked }) => !isChoked()), late.isChoked()]).toEqual([true, true])
  late.wants()
  expect(late.isChoked()).toBe(false)
})

test('who takes without saying that it wants something has a slot like everybody else', async () => {
  const { upload, come } = make()
  const silent = Array.from({ length: UPLOAD_SLOTS }, () => come())
  await Promise.all(silent.map(({ takes }) => takes()))
  const late = come()
  late.wants()
  expect(late.isChoked()).toBe(true)
  const wanting = Array.from({ length: UPLOAD_SLOTS }, () => come())
  for (const peer of wanting) peer.wants()
  upload.rechoke()
  const open = [...silent, late, ...wanting].filter(({ isChoked }) => !isChoked())
  expect(open).toHaveLength(UPLOAD_SLOTS)
})
