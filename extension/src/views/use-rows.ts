// How the installed version comes into use on this machine, and which versions are not tried again here.
import { l10n, ThemeIcon } from 'vscode'
import type { BadView, ProductView, UseView } from '../view-model.ts'
import { lines, type Row } from './row.ts'
import { sentence, severityIcon, time } from './words.ts'

/** Nothing is in use before something is installed. */
export const useRows = ({ installed, use }: ProductView): readonly Row[] => {
  if (installed === undefined || use === undefined) return []
  const isInstalled = use.version === installed.version
  const how = kindText(use)
  return [
    {
      id: 'use',
      label: isInstalled ? l10n.t('In use') : l10n.t('Not in use'),
      description: isInstalled ? how : insteadText(use),
      tooltip: lines(
        isInstalled
          ? l10n.t('{0} is in use {1}', installed.version, how)
          : l10n.t('{0} should be in use {1}', installed.version, how),
        isInstalled ? '' : sentence(insteadText(use)),
      ),
      icon: isInstalled ? new ThemeIcon('plug') : severityIcon('warning'),
    },
  ]
}

const insteadText = ({ version }: UseView): string =>
  version === undefined ? l10n.t('which version is in use is not known') : l10n.t('{0} is in use instead', version)

/** A kind of a newer agent keeps its own name. */
const kindText = ({ kind, place }: UseView): string => {
  const where = place ?? ''
  switch (kind as string) {
    case 'directory':
      return where === '' ? l10n.t('as a folder') : l10n.t('as the folder {0}', where)
    case 'file':
      return l10n.t('as the file {0}', where)
    case 'command':
      return l10n.t('through a command: {0}', where)
    case 'vsix':
      return l10n.t('as an extension of VS Code, {0}', where)
    default:
      return `${kind} ${where}`.trim()
  }
}

export const badRows = ({ key, bad }: ProductView): readonly Row[] =>
  bad.length === 0
    ? []
    : [
        {
          id: 'bad',
          label: l10n.t('Not tried again here'),
          description: bad.map(({ version }) => version).join(', '),
          tooltip: l10n.t(
            'The agent does not install these versions again unless you run “Try Again”. Newer ones are not affected.',
          ),
          icon: new ThemeIcon('circle-slash'),
          context: 'bad',
          about: { kind: 'product', product: key },
          children: bad.map(badRow),
          isOpen: true,
        },
      ]

const badRow = ({ version, by, reason, at }: BadView, index: number): Row => ({
  id: `bad ${index}`,
  label: version,
  description: l10n.t('{0}: {1}', judgeWord(by), reason),
  tooltip: lines(sentence(reason), l10n.t('{0}, {1}', judgeWord(by), time(at))),
  icon: severityIcon('warning'),
})

/** One that a newer agent knows keeps its own name. */
const judgeWord = (by: string): string => {
  switch (by) {
    case 'probe':
      return l10n.t('failed its test')
    case 'person':
      return l10n.t('rolled back by a person')
    case 'install':
      return l10n.t('could not be put into use')
    case 'start':
      return l10n.t('did not start')
    default:
      return by
  }
}
