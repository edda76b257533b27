// The two releases behind test/fixtures/bundle: whatever they were packed into once must be readable for ever.
import { type Nodes, noise, prose } from './bundle-support.ts'

export const FROZEN_ONE: Nodes = {
  'bin/acme': { kind: 'file', content: '#!/bin/sh\nexec node "$0.js"\n', executable: true },
  'bin/acme.js': { kind: 'link', target: '../lib/main.js' },
  'lib/data.bin': noise(60_000, 'frozen data'),
  'lib/main.js': prose(40_000, 'frozen main'),
  'lib/main.copy.js': prose(40_000, 'frozen main'),
  'lib/nothing': '',
  'lib/zeros': new Uint8Array(150_000),
  'locales/日本語.txt': 'frozen',
  'var/empty': { kind: 'directory' },
}

/** A file more, one less, one changed at the front; all else as before. */
export const FROZEN_TWO: Nodes = {
  ...Object.fromEntries(Object.entries(FROZEN_ONE).filter(([path]) => path !== 'lib/nothing')),
  'lib/data.bin': Buffer.concat([Buffer.from('changed'), noise(60_000, 'frozen data').subarray(5_000)]),
  'lib/more.js': prose(5_000, 'frozen more'),
}
