// Who signed a product: the key, and whom an authority of this machine says that it belongs to, until when.
import { l10n, ThemeIcon } from 'vscode'
import type { SignerView } from '../view-model.ts'
import { lines, type Row } from './row.ts'
import { time } from './words.ts'

export const signerRow = (signer: SignerView, index: number): Row => {
  const { keyId, name, organization } = signer
  if (name === undefined) {
    return {
      id: `signer ${index}`,
      label: l10n.t('Key {0}', keyId.slice(0, 8)),
      tooltip: lines(
        l10n.t('Key {0}', keyId),
        l10n.t('The publisher lists this key; no certificate says whose it is.'),
      ),
      icon: new ThemeIcon('key'),
    }
  }
  const facts = certificateFacts(signer)
  return {
    id: `signer ${index}`,
    label: name,
    description: organization ?? l10n.t('key {0}', keyId.slice(0, 8)),
    tooltip: lines(name, ...facts.map(({ label }) => label)),
    icon: new ThemeIcon('person'),
    children: facts,
  }
}

const certificateFacts = ({ keyId, organization, authority, validUntil }: SignerView): readonly Row[] => [
  ...(organization === undefined
    ? []
    : [fact('organization', l10n.t('Organization: {0}', organization), 'organization')]),
  ...(authority === undefined ? [] : [fact('authority', l10n.t('{0} vouches for it', authority), 'verified')]),
  ...(validUntil === undefined
    ? []
    : [fact('until', l10n.t('Certificate valid until {0}', time(validUntil)), 'calendar')]),
  fact('key', l10n.t('Key {0}', keyId), 'key'),
]

const fact = (id: string, label: string, icon: string): Row => ({
  id,
  label,
  tooltip: label,
  icon: new ThemeIcon(icon),
})
