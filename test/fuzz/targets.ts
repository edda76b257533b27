// Every parser of bytes from outside, by the name that `npm run fuzz` knows it under.
import type { Target } from './target.ts'
import { bundle, frame, index, indexPatch, patch, segment } from './targets/bundles.ts'
import { identity } from './targets/identity.ts'
import { answers, control, eventStream, exported, settings } from './targets/machine.ts'
import { neighbours } from './targets/neighbours.ts'
import { news, pointer } from './targets/news.ts'
import { origin } from './targets/origin.ts'
import { metadata, release, urgent } from './targets/signed.ts'
import { dht, discovery, metainfo, tracker, wire } from './targets/swarm.ts'

export const TARGETS: Readonly<Record<string, Target>> = {
  metadata,
  release,
  urgent,
  identity,
  index,
  frame,
  bundle,
  'index-patch': indexPatch,
  segment,
  patch,
  metainfo,
  wire,
  tracker,
  discovery,
  neighbours,
  dht,
  news,
  pointer,
  export: exported,
  settings,
  control,
  answers,
  'event-stream': eventStream,
  origin,
}
