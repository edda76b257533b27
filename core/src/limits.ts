// Every limit on what comes from outside, with its unit in its name and its reason beside it.
// A limit is a refusal with LIMIT_EXCEEDED, never a silent cut.

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB

export const LIMITS = {
  // Names: they become file names and URL parts, so they stay far below the 255 bytes of common file systems.
  productLengthMax: 64,
  versionLengthMax: 64,
  platformLengthMax: 32,
  channelLengthMax: 32,

  // TUF metadata. The root grows only with its keys; a product's targets with its releases (1 KiB each).
  rootLengthBytes: 512 * KIB,
  timestampLengthBytes: 16 * KIB,
  snapshotLengthBytes: 2 * MIB,
  targetsLengthBytes: 16 * MIB,
  /** TUF 5.3.3 asks for a bound; a yearly rotation fills it in two and a half centuries. */
  rootRotationsMax: 256,
  /** Other TUF clients copy their whole table for every entry: 4,000 targets take them two seconds a pass, 16,000 a minute. */
  targetsMax: 4_000,
  /** Products of one repository; the snapshot lists each of them, and the same cost applies. */
  delegatedRolesMax: 1_000,
  /** Releases that are called urgent at one time, over all products: 200 bytes each, in one file that machines fetch. */
  urgentReleasesMax: 1_024,
  /** A ceremony file: every root so far, targets, and some products, each before and after. */
  ceremonyLengthBytes: 64 * MIB,
  /** A check of one signature takes up to a millisecond, and a role is checked against all of its keys. */
  roleKeysMax: 64,
  signaturesMax: 256,
  /** Real metadata has eight levels or so; thousands would exhaust the stack of whoever walks them. */
  metadataDepthMax: 64,
  /** One certificate in DER; real ones have one or two KiB. */
  certificateLengthBytes: 16 * KIB,
  /** A leaf, a few intermediates and the authority at the top. */
  certificateChainMax: 8,
  /** One revocation list: some thousands of certificates, and three of them for an authority and those under it. */
  revocationListLengthBytes: 256 * KIB,
  revocationListsMax: 8,
  /** A whole request for metadata, so that a slow server cannot hold a cycle (slow retrieval). */
  metadataTimeoutMs: 30_000,
  /** Timestamp and snapshot mostly last a day or more and are renewed at half of their life: a quarter of a day is late. */
  onlineExpiryNoticeMs: 6 * 60 * 60_000,
  /** Root, targets and products are signed by people, who may need days for it; their machines hear of the last week. */
  offlineExpiryNoticeMs: 7 * 24 * 60 * 60_000,

  // Bundles.
  filesMax: 500_000,
  /** 4,096 is PATH_MAX on Linux; the install root needs room in front of it. */
  pathLengthBytes: 1_024,
  pathDepthMax: 64,
  fileLengthBytes: 64 * GIB,
  installedLengthBytes: 256 * GIB,
  indexLengthBytes: 64 * MIB,
  /** Releases that a release has patches from; each costs half a KiB of metadata. */
  patchesMax: 16,
  /** Only the tables of an index are compressed, its digests are not: a hundred bytes for each of the most files. */
  indexInflatedBytes: 64 * MIB,
  chunkLengthBytes: 1 * MIB,
  /** 32 bytes of digest each, half of the longest index. Chunks of large files are larger, so this is 16 GiB and more. */
  chunksMax: 1_048_576,
  /** Places in files that chunks stand at: one chunk may stand at many, as in a sparse file. 4 bytes each in memory. */
  referencesMax: 4_194_304,
  /** What is decompressed at once. With the dictionary, the result and the input it is held up to three times. */
  frameLengthBytes: 8 * MIB,
  /** What only the newer release has. For more of it no patch is made, which takes minutes: machines fetch chunks. */
  patchTargetBytes: GIB,
  notesLengthBytes: 64 * KIB,
  /** A rollout in daily steps over two months. */
  rolloutStepsMax: 64,
  /** Characters: it is shown in one line of a trace. */
  yankReasonLength: 500,

  // Torrents.
  metainfoLengthBytes: 16 * MIB,
  pieceLengthMinBytes: 16 * KIB,
  pieceLengthMaxBytes: 16 * MIB,
  /** An index, a pack, and room for patches beside them. */
  torrentFilesMax: 256,
  urlLengthBytes: 2_048,
  trackersMax: 16,
  webSeedsMax: 16,
  peersPerTorrentMax: 55,
  /** Two minutes without a useful byte from anyone: the cycle ends, what was fetched stays, the next cycle goes on. */
  swarmStallTimeoutMs: 120_000,

  // What machines tell each other of a repository (docs/peer-metadata.md).
  /** A machine that is there answers at once; one that does not must not hold a look up for long. */
  peerAnswerTimeoutMs: 10_000,
  /** Nothing said for this long: the one that called has brought its news, and the other one has fetched what it wants. */
  peerIdleTimeoutMs: 60_000,
  /** However busy: a conversation is an errand, not a subscription. */
  peerConversationMs: 10 * 60_000,
  /** Machines that have called and are still here; and of one address, as behind a NAT. */
  peerVisitorsMax: 32,
  peerVisitorsPerAddressMax: 4,

  // Exported releases: a root for every year of two and a half centuries, four roles, and per platform two targets, a bundle
  // and up to 16 patches of each kind.
  exportMembersMax: 4_096,
  /** A line for each of the most members, with the longest names. */
  exportSumsBytes: 2 * MIB,

  // Control API: the largest body is a command with a few names.
  controlBodyBytes: 64 * KIB,
  controlEventsKept: 10_000,
  controlListenersMax: 256,
  /** Four for each listener: a thousand who come at once are told that they are too many. 64 KiB of memory or so each. */
  controlConnectionsMax: 1_024,
  /** Requests that wait for their answer on one connection; programs that ask the next thing first are rare. */
  controlPipelinedMax: 16,
  /** The token is 43 characters; a file with more is something else. */
  controlTokenBytes: 1 * KIB,
  /** A request is one line, a few headers and a small body: who needs longer is holding a connection open on purpose. */
  controlRequestTimeoutMs: 10_000,
  /** An agent answers within milliseconds; one that waits for a busy disk gets the benefit of the doubt. */
  controlAnswerTimeoutMs: 30_000,
  /** Reading and hashing every file of the largest release on a slow disk: a gigabyte takes seconds on any other. */
  controlProofTimeoutMs: 15 * 60_000,
  /** Files named in the answer of a proof: of a tree that was replaced as a whole, more say no more. */
  proofDifferencesMax: 200,
  /** A silent line says that it is there this often; a listener may conclude after three times this that it is not. */
  controlHeartbeatMs: 15_000,
  /** A status with thousands of products; and one event. What is larger does not come from an agent. */
  controlAnswerBytes: 16 * MIB,
  controlEventBytes: 256 * KIB,
  /** What is left of `sun_path` (108 bytes on Linux, 104 on macOS) for the path of a socket. */
  socketPathBytes: 103,

  settingsLengthBytes: 1 * MIB,
  /** A PEM file with the authorities that a machine's owner pins. */
  authorityFileBytes: 256 * KIB,

  // Probes and other programs of the machine's owner. What one writes to its log in a minute or so fits.
  hookOutputBytes: 1 * MIB,
  /** A program that was asked to end closes its files; one that does not is killed. */
  hookEndGraceMs: 5_000,
  /** Before the next version of the agent takes over: an installation or a probe mostly ends by then, a download goes on. */
  handOverGraceMs: 60_000,
  /** An agent that ends each time while it probes the same version is probably ended by it. */
  probeInterruptionsMax: 3,

  /** The manifest of a VS Code extension; the longest have a few hundred KiB of commands and settings. */
  extensionManifestBytes: 4 * MIB,
  /** Asking the system whether the connection is metered takes milliseconds. */
  meteredTimeoutMs: 5_000,

  // Origin. An open connection costs a file handle or two and a socket buffer; thousands would exhaust a small machine.
  originConnectionsMax: 1_024,
  /** A request is one line and a few headers: who needs longer than this is holding a connection open on purpose. */
  originHeadersTimeoutMs: 10_000,
  /** Nothing sent and nothing received for this long: the other side has gone, or reads nothing. */
  originIdleTimeoutMs: 30_000,
  /** Slower readers are cut off, so that a trickle cannot hold a connection for ever; a modem is faster. */
  originSendBytesPerSecondMin: 4 * KIB,
  /** Answers under way may finish for this long when the origin stops; the whole stop takes at most five seconds. */
  originCloseGraceMs: 1_000,
  /** Of its status page, for whoever shows some of it: a thousand products with their releases are a fifth of that. */
  originStatusBytes: 1024 * 1024,
  originStatusRowsMax: 1_000,
  /** A page that takes longer is not worth waiting for; it is asked again. */
  originStatusTimeoutMs: 5_000,

  // Tracker. A peer costs about half a KiB: all of them together stay near 100 MiB.
  trackerPeersPerSwarmMax: 10_000,
  trackerPeersMax: 200_000,
  /** Ten WebRTC offers of a few KiB each fit well. */
  trackerMessageBytes: 128 * KIB,
  /** Half of the connections stay free for files and announces over HTTP. */
  trackerWebSocketsMax: 512,
} as const
