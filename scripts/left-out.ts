// What a shipped program is built without: parts of libraries that are loaded with the rest of them and that it never comes
// to. Each costs memory for as long as the agent runs, and time at every start. Throws where one is needed after all.
import { isBuiltin } from 'node:module'
import type { Plugin } from 'esbuild'

/** Native addons cannot be part of a single file. WebTorrent takes their absence well. */
const NATIVE = /^(webrtc-polyfill|utp-native|bufferutil|utf-8-validate)$/

/** By the name that it is imported by: what stands in its place. */
const STAND_INS: Readonly<Record<string, string>> = {
  // Native code, which a single file cannot carry. Loaded where it lies beside the program, once it is asked for.
  'webrtc-polyfill': `
    export let RTCPeerConnection, RTCSessionDescription, RTCIceCandidate
    export const loadWebRtc = async () => {
      const name = 'webrtc-polyfill'
      try {
        ({ RTCPeerConnection, RTCSessionDescription, RTCIceCandidate } = await import(name))
      } catch (error) {
        throw new Error('there is no ' + name + ' beside this program', { cause: error })
      }
    }`,
  './webrtc/runtime.ts': "export { loadWebRtc } from 'webrtc-polyfill'",
  // Without it there is no uTP, which is off anyway.
  'utp-native': 'module.exports = {}',
  // The swarm opens no ports at routers (`natUpnp: false`); with an XML parser and a program launcher.
  '@silentbot1/nat-api':
    'export default class { constructor() { throw new Error("no NAT-PMP and UPnP in this build") } }',
  // local-discovery.ts does it.
  'bittorrent-lsd': 'export default undefined',
  // `client.seed` and `client.createServer` are never called.
  'create-torrent': 'export default undefined; export const parseInput = undefined',
  './lib/server.js': 'export const NodeServer = undefined, BrowserServer = undefined',
  // There is no blocklist: bans.ts has its own.
  'load-ip-set': 'export default undefined',
  // Only for torrents given by URL and for its own web seeds; ours are verified metainfo, and web-seeds.ts.
  'cross-fetch-ponyfill': 'export default undefined',
}

export const withoutUnused: Plugin = {
  name: 'without-unused',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /.*/ }, ({ path, importer }) => {
      const isOurs = path === './lib/server.js' ? importer.endsWith('/webtorrent/index.js') : true
      if (!isOurs || (STAND_INS[path] === undefined && !NATIVE.test(path))) return undefined
      return { path, namespace: 'left-out' }
    })
    // The announcer talks to trackers; the publisher's tracker is the same package, and stays.
    onResolve({ filter: /^bittorrent-tracker$/ }, ({ importer }) =>
      importer.includes('/torrent-discovery/') ? { path: 'tracker-client', namespace: 'left-out' } : undefined,
    )
    onLoad({ filter: /.*/, namespace: 'left-out' }, ({ path }) => ({
      contents:
        STAND_INS[path] ??
        (path === 'tracker-client'
          ? 'export const Client = undefined'
          : `throw new Error(${JSON.stringify(`${path} is not part of this build`)})`),
      loader: 'js',
    }))
    // 250 KB of error messages in languages that are never chosen.
    onLoad({ filter: /zod\/v4\/locales\/index\.js$/ }, () => ({
      contents: "export { default as en } from './en.js'",
      loader: 'js',
    }))
  },
}

/**
 * Node's own modules are loaded when what needs them is, and as CommonJS does it: an `import` of node:http asks for each of its
 * exports, and one of them loads all of fetch and WebSocket with 14 MB.
 */
export const lazyBuiltins: Plugin = {
  name: 'lazy-builtins',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /.*/ }, ({ path, kind }) =>
      kind === 'import-statement' && isBuiltin(path) ? { path, namespace: 'builtin' } : undefined,
    )
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)})`,
      loader: 'js',
    }))
  },
}
