// What each finding means, for a developer who has never heard of The Update Framework: what has happened, what the agent has
// done about it, and what there is to do. The agent's own message has the values; these are the words around it.
import { type FindingCode, isFindingCode, type Severity } from '@updraft/core/trust/finding'
import { l10n } from 'vscode'
import { findingTitle } from './words.ts'

export interface FindingText {
  readonly title: string
  /** In general; the finding's message says it in particular. */
  readonly happened: string
  readonly did: string
  readonly todo: string
}

export const findingText = (code: string, severity: Severity): FindingText => {
  return { title: findingTitle(code), ...(isFindingCode(code) ? TEXTS[code]() : unknownFinding(severity)) }
}

type Explanation = Omit<FindingText, 'title'>

/** Functions, because the language of the screen is known only when they are asked. */
const TEXTS: Readonly<Record<FindingCode, () => Explanation>> = {
  'root-on-first-use': () => ({
    happened: l10n.t(
      'Every check of a signature begins with one file of the publisher, the root, which lists the publisher’s keys. On this machine the root was taken from the server as it was, and nobody has compared it with the publisher. If the server was not the right one that day, everything since then was checked against somebody else’s keys.',
    ),
    did: l10n.t('The agent installs updates, and accepts only those that the keys in this root have signed.'),
    todo: l10n.t(
      'Get the root’s fingerprint from the publisher in another way (their website, a colleague, a phone call) and compare it: run “Compare Fingerprint” on the source in the Trust view. Once it is confirmed, this goes away.',
    ),
  }),
  'root-unknown': () => ({
    happened: l10n.t(
      'The agent does not know which keys to believe for this source: no root (the publisher’s list of keys) is stored for it here, or the server shows one that does not follow from the stored one. The second happens when the server was replaced by somebody else, or when the publisher has started again with new keys.',
    ),
    did: l10n.t('The agent takes nothing from this source. What is installed stays and keeps working.'),
    todo: l10n.t(
      'Ask the publisher whether they have moved or changed their root, and for its fingerprint. Only if the fingerprints are the same, run “Trust a Source” and confirm it. If the publisher knows nothing of it, do not: somebody else is answering in their name.',
    ),
  }),
  'metadata-untrusted': () => ({
    happened: l10n.t(
      'The list of releases that the server offers does not carry enough valid signatures of the publisher. It was changed after it was signed, or somebody without the keys has signed it.',
    ),
    did: l10n.t(
      'The agent has refused the whole list: nothing of it was downloaded or installed. What is installed stays, and was signed correctly.',
    ),
    todo: l10n.t(
      'Nothing on this machine is broken, and there is nothing to repair here. Tell the publisher, with the message above. The warning goes away by itself when the server offers a correctly signed list again.',
    ),
  }),
  'metadata-rollback': () => ({
    happened: l10n.t(
      'The server offers an older list of releases than the one that this machine has already seen. That is how somebody would bring back an old version with a known hole. A mirror that was restored from a backup looks the same.',
    ),
    did: l10n.t('The agent has refused the old list and keeps to the newer one. What is installed stays.'),
    todo: l10n.t(
      'If you run the mirror, bring it up to date. Otherwise tell the publisher, with both numbers from the message. Do not delete the agent’s files to “fix” it: the agent remembers for a reason.',
    ),
  }),
  'metadata-expired': () => ({
    happened: l10n.t(
      'The publisher signs the list of releases for a limited time, so that nobody can hide a new release by showing an old list for ever. This time is over. The publisher has forgotten to renew it, somebody keeps this machine from seeing the new list, or the clock of this machine is wrong.',
    ),
    did: l10n.t('The agent installs no updates until it sees a fresh list. What is installed stays and keeps working.'),
    todo: l10n.t(
      'Look at the clock of this machine first. If it is right, tell the publisher that the list has expired; the message says which part of it, and since when.',
    ),
  }),
  'metadata-expiring': () => ({
    happened: l10n.t(
      'The publisher signs the list of releases for a limited time, and this time is almost over. Usually it is renewed before that.',
    ),
    did: l10n.t('The agent goes on as usual.'),
    todo: l10n.t('Nothing for now. If it is still here when the time is over, updates stop; tell the publisher then.'),
  }),
  'metadata-policy': () => ({
    happened: l10n.t(
      'The list of releases is signed, but in a way that makes its signatures worth little: a key is too weak, one key counts twice, a checksum is missing, or a name could lead out of its folder.',
    ),
    did: l10n.t('The agent has refused the list, although its signatures may be valid. What is installed stays.'),
    todo: l10n.t(
      'Tell the publisher, with the message above: it names the rule. It is a mistake on their side, or somebody got hold of some of their keys.',
    ),
  }),
  'identity-unknown': () => ({
    happened: l10n.t(
      'The owner of this machine has said that somebody they trust must vouch for whoever publishes this product. A newer release has the right keys behind it, but nobody on that list vouches for the people who hold them.',
    ),
    did: l10n.t('The agent has not taken the release. What is installed stays and keeps working.'),
    todo: l10n.t(
      'Ask the publisher for a certificate from one of the authorities in the setting “authorities” of this product. If they use another authority, compare it with them first, and then add it there.',
    ),
  }),
  'identity-changed': () => ({
    happened: l10n.t(
      'Somebody else than before has signed the newest release: the names are in the message. That is so when a publisher changes its people, and also when somebody has taken over its keys.',
    ),
    did: l10n.t('The agent waits with the update. What is installed stays, and was signed by the people from before.'),
    todo: l10n.t(
      'Ask the publisher, by a way that you know, whether the new name is theirs. If it is, choose “Approve” for the version; if not, tell them, and leave it.',
    ),
  }),
  'identity-expired': () => ({
    happened: l10n.t(
      'The certificate of somebody who signs this product has run out, or is not valid yet. Certificates have dates so that a lost one is not good for ever. A clock of this machine that is wrong looks the same.',
    ),
    did: l10n.t(
      'The agent takes no update until it is put right, unless the setting “verification” of this product says that it is only to be told. What is installed stays and keeps working.',
    ),
    todo: l10n.t(
      'Look at this machine’s clock first. If it is right, the publisher has to sign with a new certificate: tell them.',
    ),
  }),
  'identity-revoked': () => ({
    happened: l10n.t(
      'The authority has taken back the certificate of somebody who signs this product. That is done when a key was stolen or somebody has left.',
    ),
    did: l10n.t(
      'The agent takes no update that this person signed, unless the setting “verification” of this product says that it is only to be told. What is installed stays and keeps working.',
    ),
    todo: l10n.t(
      'Ask the publisher whether a key was stolen, and since when. If so, look at what was installed since then. Updates go on when somebody else signs.',
    ),
  }),
  'urgent-unknown': () => ({
    happened: l10n.t(
      'Your settings let releases grow old before they are installed, unless the publisher signs that one is urgent. Who may sign that is known, but what they have signed could not be fetched, or does not hold.',
    ),
    did: l10n.t(
      'The agent takes no release for urgent. Everything else goes on: each release is installed at its age.',
    ),
    todo: l10n.t(
      'Nothing at once: the source is asked again. If it stays like this, tell the publisher, with the message above. If you know of a release that cannot wait, lower the minimum age of the product.',
    ),
  }),
  'release-invalid': () => ({
    happened: l10n.t(
      'The publisher has signed the description of a release, but something in it is missing or has a value that cannot be.',
    ),
    did: l10n.t('The agent passes over this release. Other releases are not affected, and what is installed stays.'),
    todo: l10n.t(
      'Tell the publisher, with the message above. If the agent on this machine is old, update it first: a newer publisher may say things that it does not know yet.',
    ),
  }),
  'release-yanked': () => ({
    happened: l10n.t(
      'The publisher has taken back the version that is installed here, and has signed why: it is in the message above. Usually it has a serious fault.',
    ),
    did: l10n.t(
      'The agent goes to the version that the publisher has named, as soon as your own settings allow it. If none is named, it stays until a newer one comes.',
    ),
    todo: l10n.t(
      'Read the reason. If the version stays although another one is there, “Why” below the product says what holds it back: a hold, a time window, a missing approval.',
    ),
  }),
  'bundle-tampered': () => ({
    happened: l10n.t(
      'What was downloaded is not what the publisher has signed. A peer or a server has sent something else, or it was damaged on the way or on this disk.',
    ),
    did: l10n.t(
      'The agent has thrown it away: it was never unpacked, never run, and not passed on. Peers that send such data are banned. What is installed stays.',
    ),
    todo: l10n.t(
      'Usually nothing: the agent tries again with other peers. If it stays, tell the publisher; their server may hold a damaged file.',
    ),
  }),
  'swarm-stalled': () => ({
    happened: l10n.t(
      'The new release is signed and wanted, but nobody sends its missing parts: no other machine has them, or what they send is wrong, and the publisher’s server does not deliver them. Nothing can get in this way; at worst an update comes late.',
    ),
    did: l10n.t(
      'The agent keeps what it has, has thrown away and banned whatever was wrong, and tries again at its next look.',
    ),
    todo: l10n.t(
      'See whether this machine’s firewall and proxy let the agent out. If others have the same, tell the publisher: their server may not offer this release.',
    ),
  }),
  'not-in-use': () => ({
    happened: l10n.t(
      'The installed version is on this machine and was checked, but what runs is still something else: the place that the agent’s settings name for it (a file, a command, VS Code) is taken, cannot be written, or has refused it.',
    ),
    did: l10n.t('The agent has changed nothing that it did not put there itself, and tries again with every look.'),
    todo: l10n.t(
      'The message says what stands in the way. Move it away or name another place in “install” of the product in the agent’s settings; the next look does the rest.',
    ),
  }),
  'release-unhealthy': () => ({
    happened: l10n.t('A new version was installed and then failed the test that is set for it on this machine.'),
    did: l10n.t(
      'The agent has gone back to the version before it, and does not try the failed one again. A newer version is tried by itself.',
    ),
    todo: l10n.t(
      'The message says what the test answered. If the fault is in the version, tell the publisher, and wait for the next one. If it was this machine’s, set it right and run “Try Again” on the product.',
    ),
  }),
  'source-unreachable': () => ({
    happened: l10n.t(
      'The server that says which releases there are does not answer. This is a matter of networks, not of trust. But while it lasts, this machine does not hear of new releases.',
    ),
    did: l10n.t('The agent tries again by itself. What is installed stays and keeps working.'),
    todo: l10n.t('Look at the network, the proxy and the firewall of this machine, and at the address of the source.'),
  }),
}

const unknownFinding = (severity: Severity): Explanation => ({
  happened: l10n.t('The agent is newer than this extension and tells something that the extension has no words for.'),
  did:
    severity === 'error'
      ? l10n.t('The agent calls it an error, so it has refused something. What is installed stays.')
      : l10n.t('The agent goes on as usual.'),
  todo: l10n.t('Read the agent’s own message above, and update this extension.'),
})
