// What each finding means, for a developer who has never heard of The Update Framework: what has happened, what the agent has
// done about it, and what there is to do. The agent's own message has the values; these are the words around it. Each text
// stands alone as well, on the page of all warnings: it may speak of the message, but not of a place on the screen.
import { FINDINGS, type FindingCode, isFindingCode, type Severity } from '@updraft/core/trust/finding'
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
  const title = findingTitle(code)
  if (!isFindingCode(code)) return { title, ...unknownFinding(severity) }
  const text = TEXTS[code]()
  // What usually stops updates, and is only told here, has not stopped them.
  const isOnlyTold = FINDINGS[code].severity === 'error' && severity !== 'error'
  return { title, ...text, ...(isOnlyTold ? { did: onlyTold(code) } : {}) }
}

type Explanation = Omit<FindingText, 'title'>

/** Functions, because the language of the screen is known only when they are asked. */
const TEXTS: Readonly<Record<FindingCode, () => Explanation>> = {
  'root-on-first-use': () => ({
    happened: l10n.t(
      'Everything that the agent checks starts from one file, the “root”, which lists the publisher’s keys. On this machine the root was taken from the server as it was, and nobody has compared it with what the publisher says. If that was the wrong server, every later check used somebody else’s keys.',
    ),
    did: l10n.t('The agent installs updates as usual, but only those that are signed with the keys in this root.'),
    todo: l10n.t(
      'Ask the publisher for the fingerprint of their root in some other way: their website, a colleague, a phone call. Then run “Updraft: Compare Fingerprint”. Once you have confirmed that it is the same, this notice goes away.',
    ),
  }),
  'root-unknown': () => ({
    happened: l10n.t(
      'To check signatures, the agent needs the “root” of the source: the file that lists the publisher’s keys. No root is stored here for the source that this product comes from: it was never added, or somebody has removed it. Or a file was imported that another publisher has made.',
    ),
    did: l10n.t(
      'The agent takes nothing from this source. What is installed stays and keeps working, but gets no updates.',
    ),
    todo: l10n.t(
      'If this product should be updated, run “Updraft: Trust a Source” and compare the fingerprint with what the publisher tells you. If it should not, take it out of the agent’s settings: run “Updraft: Open Agent Settings”.',
    ),
  }),
  'metadata-untrusted': () => ({
    happened: l10n.t(
      'The list of releases on the server does not carry enough valid signatures of the publisher. It was changed after it was signed, or somebody without the publisher’s keys has made it, or the publisher has started again with new keys.',
    ),
    did: l10n.t(
      'The agent has refused the whole list: nothing of it was downloaded or installed. What is installed was checked when it was installed; it stays and keeps working.',
    ),
    todo: l10n.t(
      'Nothing on this machine is broken, and there is nothing to repair here. Tell the publisher, and send them the message. The warning goes away by itself once the server offers a correctly signed list. Only if the publisher confirms that they have new keys: run “Updraft: Stop Trusting a Source”, then “Updraft: Trust a Source”, and compare the new fingerprint.',
    ),
  }),
  'metadata-rollback': () => ({
    happened: l10n.t(
      'The server offers an older list of releases than one that this machine has already seen. An attacker does that to bring back an old version with a known security hole. A mirror that lags behind, or was restored from a backup, looks the same.',
    ),
    did: l10n.t(
      'The agent has refused the older list and keeps the newer one. What is installed stays and keeps working.',
    ),
    todo: l10n.t(
      'If you run the mirror, bring it up to date. Otherwise tell the publisher, and send them the message. Do not delete the agent’s files to get rid of this: its memory is what protects you here.',
    ),
  }),
  'metadata-expired': () => ({
    happened: l10n.t(
      'The publisher signs the list of releases for a limited time, so that nobody can hide a new release by showing an old list forever. That time is over: the publisher has not renewed the list, or somebody keeps the new one from this machine, or the clock of this machine is wrong.',
    ),
    did: l10n.t(
      'The agent installs no updates until it gets a fresh list, unless the setting “verification” of this product is “permissive” or “audit”: then it goes on, and only warns. What is installed stays and keeps working.',
    ),
    todo: l10n.t(
      'Check the clock of this machine first. If it is right, tell the publisher that their list has expired; the message says which part of it, and when.',
    ),
  }),
  'metadata-expiring': () => ({
    happened: l10n.t(
      'The publisher signs the list of releases for a limited time, and that time is almost over. Usually it is renewed earlier.',
    ),
    did: l10n.t('The agent goes on as usual.'),
    todo: l10n.t(
      'Nothing yet. If the list is not renewed in time, updates stop, and a warning says so. If you know the publisher, remind them.',
    ),
  }),
  'metadata-policy': () => ({
    happened: l10n.t(
      'The list of releases breaks a rule that keeps this machine safe, whoever has signed it. For example, a key is too weak, one key is counted twice, a checksum is missing, a file is too large, or a name could lead out of its folder. The message names the rule.',
    ),
    did: l10n.t(
      'The agent has refused the list, even if its signatures are valid. What is installed stays and keeps working.',
    ),
    todo: l10n.t(
      'Tell the publisher, and send them the message. Either it is a mistake of theirs, or somebody has got hold of some of their keys.',
    ),
  }),
  'identity-unknown': () => ({
    happened: l10n.t(
      'For this product your settings ask for more than the right keys: an authority that you trust has to confirm, with a certificate, who holds them. For those who have signed now, none of your authorities confirms it.',
    ),
    did: l10n.t(
      'The agent installs no updates of this product for as long as that is so. What is installed stays and keeps working.',
    ),
    todo: l10n.t(
      'Ask the publisher for a certificate of one of the authorities in the setting “authorities” of this product. If they use another authority, make sure with them that it is the right one, and then add it there: run “Updraft: Open Agent Settings”.',
    ),
  }),
  'identity-changed': () => ({
    happened: l10n.t(
      'Whoever signs now is not who signed the installed version; the message has both names. That happens when a publisher changes its staff, and also when somebody has taken over its keys.',
    ),
    did: l10n.t(
      'The agent holds the update back until you approve it. What is installed stays and keeps working; the people from before have signed it.',
    ),
    todo: l10n.t(
      'Ask the publisher whether the new signer is theirs, in a way that you have used before: not by an address that came with the update. If it is, run “Updraft: Approve Update”. If not, tell them, and do not approve it.',
    ),
  }),
  'identity-expired': () => ({
    happened: l10n.t(
      'The certificate of somebody who signs this product has expired, or is not valid yet. Certificates have an end date, so that a lost one is not good forever. If the clock of this machine is wrong, it looks the same.',
    ),
    did: l10n.t(
      'The agent installs no updates of this product until that is put right. What is installed stays and keeps working.',
    ),
    todo: l10n.t(
      'Check the clock of this machine first. If it is right, tell the publisher that they have to sign with a new certificate.',
    ),
  }),
  'identity-revoked': () => ({
    happened: l10n.t(
      'The authority that vouched for somebody who signs this product has revoked the certificate, or its list of revoked certificates cannot be read. A certificate is revoked when its key was stolen, or when somebody has left.',
    ),
    did: l10n.t(
      'The agent installs no updates of this product until enough others sign. What is installed stays and keeps working.',
    ),
    todo: l10n.t(
      'Ask the publisher whether a key was stolen, and since when. If it was, look closely at what was installed since then. Updates go on when somebody else signs.',
    ),
  }),
  'identity-expiring': () => ({
    happened: l10n.t(
      'The certificate of somebody who signs this product is almost over. Certificates have an end date, so that a lost one is not good forever; usually there is a new one in time.',
    ),
    did: l10n.t('The agent goes on as usual.'),
    todo: l10n.t(
      'Nothing yet. If nobody signs with a new certificate in time, updates stop, and a warning says so. If you know the publisher, remind them.',
    ),
  }),
  'urgent-unknown': () => ({
    happened: l10n.t(
      'Your settings hold new releases back for a while before they are installed, except for those that the publisher marks as urgent. These marks could not be fetched, or are not signed correctly.',
    ),
    did: l10n.t(
      'The agent treats no release as urgent. Everything else goes on: each release is installed once it is old enough.',
    ),
    todo: l10n.t(
      'Nothing for now: the agent asks again. If this stays, tell the publisher, and send them the message. If you know of a release that cannot wait, lower “minimumAgeHours” of the product: run “Updraft: Open Agent Settings”.',
    ),
  }),
  'release-invalid': () => ({
    happened: l10n.t(
      'The publisher has signed the description of a release, but something in it is missing or makes no sense.',
    ),
    did: l10n.t('The agent skips this release; others are not affected. What is installed stays and keeps working.'),
    todo: l10n.t(
      'Tell the publisher, and send them the message. If the agent on this machine is old, update it first: the release may use something that came after it.',
    ),
  }),
  'release-yanked': () => ({
    happened: l10n.t(
      'The publisher has withdrawn the version that is installed here. The message says why; usually the version has a serious fault.',
    ),
    did: l10n.t(
      'If the publisher has named a version to go to, the agent installs that one as soon as your settings allow it. If not, the withdrawn version stays until a newer one comes. It is not stopped: it can still be used.',
    ),
    todo: l10n.t(
      'Read the reason, and decide whether to use this version until then. “Updraft: Roll Back” goes to the version before it, if that is still here. If the agent does not move on by itself, “Why” below the product says what holds it back: a hold, a time window, a missing approval.',
    ),
  }),
  'bundle-tampered': () => ({
    happened: l10n.t(
      'What was downloaded is not what the publisher has signed. Another machine or a server has sent something else, or it was damaged on the way or on this disk.',
    ),
    did: l10n.t(
      'The agent has thrown it away: it was never installed, never run, and never passed on. Machines that send such data are banned. What is installed stays and keeps working.',
    ),
    todo: l10n.t(
      'Usually nothing: the agent tries again, with other machines. If this stays, tell the publisher, and send them the message: their server may hold a damaged file.',
    ),
  }),
  'peer-banned': () => ({
    happened: l10n.t(
      'Another machine, or a server, sent data for this product that is not what the publisher has signed; the message has its address. It may be broken, or somebody may try to disturb updates.',
    ),
    did: l10n.t(
      'The agent has thrown the data away, and does not ask that machine any more until the time in the message. It gets the same parts from others.',
    ),
    todo: l10n.t(
      'Nothing: what is installed is not affected. If it is a machine of yours, check its disk and its memory, and run “Updraft: Verify Installed Files” there.',
    ),
  }),
  'swarm-stalled': () => ({
    happened: l10n.t(
      'A new release is there and is signed correctly, but its missing parts do not arrive: no other machine has them, or what they send is wrong, and the publisher’s server does not deliver them. This is not dangerous: the update only comes late.',
    ),
    did: l10n.t(
      'The agent keeps what has arrived, has thrown away whatever was wrong, and tries again at the next check.',
    ),
    todo: l10n.t(
      'Make sure that the firewall and the proxy of this machine let the agent out. If others have the same problem, tell the publisher: their server may not offer this release.',
    ),
  }),
  'not-in-use': () => ({
    happened: l10n.t(
      'The installed version is on this machine and was checked, but something else is still in use: the place that the agent’s settings name for it (a file, a command, VS Code) is taken, cannot be written, or has refused it.',
    ),
    did: l10n.t(
      'The agent has not overwritten anything that it did not put there itself. It tries again at every check.',
    ),
    todo: l10n.t(
      'The message says what is in the way. Move it away, or name another place in “install” of the product: run “Updraft: Open Agent Settings”. Then run “Updraft: Check for Updates”.',
    ),
  }),
  'release-unhealthy': () => ({
    happened: l10n.t(
      'A new version was installed and did not work here: it failed the test that your settings ask for, or could not be put into use, or did not start.',
    ),
    did: l10n.t(
      'The agent has gone back to the version before it, if there was one, and does not try the failed one again. Newer versions are tried as usual.',
    ),
    todo: l10n.t(
      'The message says what went wrong. If the version is to blame, tell the publisher, and wait for the next one. If this machine was, put it right and run “Updraft: Try Again”.',
    ),
  }),
  'source-unreachable': () => ({
    happened: l10n.t(
      'The server that says which releases there are does not answer, or does not have a file that it should have. That is a matter of networks, not of trust. While it lasts, this machine hears of new releases from other machines at best.',
    ),
    did: l10n.t('The agent keeps trying by itself. What is installed stays and keeps working.'),
    todo: l10n.t(
      'Check the network, the proxy and the firewall of this machine, and the address of the source, which stands in the Trust view. If they are right, tell the publisher.',
    ),
  }),
}

/** Because the owner wants it so, or because another machine has what the source should have. */
const onlyTold = (code: FindingCode): string =>
  code.startsWith('identity-')
    ? l10n.t(
        'The agent only warns of this and goes on with updates, because the setting “verification” of this product says so.',
      )
    : l10n.t(
        'The agent has used nothing of what is wrong here. It gets the list of releases from another machine meanwhile and checks it in the same way, so updates go on.',
      )

const unknownFinding = (severity: Severity): Explanation => ({
  happened: l10n.t('The agent is newer than this extension, and reports something that the extension cannot explain.'),
  did:
    severity === 'error'
      ? l10n.t('The agent calls it an error, so it has refused something. What is installed stays.')
      : l10n.t('The agent does not call it an error, so it has refused nothing for it.'),
  todo: l10n.t('Read the agent’s own message, and update this extension.'),
})
