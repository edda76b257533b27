// Makes sure that there is WebRTC before anything asks for it. From source, `webrtc-polyfill` comes with webtorrent; a shipped
// program has it only if it lies beside it, because it is native code (`scripts/left-out.ts` puts that in this file's place).

/** Errors: Error if this program has no WebRTC. */
export const loadWebRtc = async (): Promise<void> => {}
