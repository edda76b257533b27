// The agent's messages are exact, so they name files and roles of The Update Framework. What those names mean, for whoever
// meets them here for the first time.
import { l10n } from 'vscode'

/** One line for each such word in the message, in the order in which a person needs them. */
export const wordsIn = (message: string): readonly string[] => {
  const text = message.replaceAll(/https?:\S+/g, '') // Each address of a repository has some of them in it.
  return WORDS.filter(([pattern]) => pattern.test(text)).map(([, meaning]) => meaning())
}

/** Functions, because the language of the screen is known only when they are asked. */
const WORDS: readonly (readonly [RegExp, () => string])[] = [
  [/\bmetadata\b/i, () => l10n.t('Metadata: the signed list of releases, with all its parts.')],
  [/\broots?\b/i, () => l10n.t('Root: the file that lists the publisher’s keys.')],
  [/\bpinned\b/i, () => l10n.t('Pinned: stored on this machine as what is trusted.')],
  [/\btargets\b/i, () => l10n.t('Targets: the part of the list that says whose keys may sign which product.')],
  [
    /\bsnapshot\b/i,
    () => l10n.t('Snapshot: the part of the list that says which versions of the others belong together.'),
  ],
  [
    /\btimestamp\b/i,
    () => l10n.t('Timestamp: the part of the list that says how new it is. It is renewed most often.'),
  ],
  [/\brole\b/i, () => l10n.t('Role: the keys that may sign one part of the list, and how many of them have to.')],
  [/\bthreshold\b/i, () => l10n.t('Threshold: how many of the keys have to sign.')],
  [/\bdelegat/i, () => l10n.t('Delegation: a part of the list that says who may sign another part.')],
  [/\bSHA-?256\b|\bsha256\b/i, () => l10n.t('SHA-256: a checksum that changes with every change of a file.')],
]
