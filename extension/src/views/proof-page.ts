// What a verification of installed files has found, as a page of Markdown. What comes from the agent stands in it as plain text.
import type { ProofAnswer } from '@updraft/core/control/api'
import { l10n } from 'vscode'
import { asMarkdown, type Shown, show } from '../text.ts'
import { sentence, time } from './words.ts'

export const proofPage = (name: Shown, proof: ProofAnswer): string => {
  const { isGood, path, releases, findings, differences, differenceCount } = proof
  return [
    `# ${asMarkdown(name)}: ${plain(isGood ? l10n.t('everything is as it was signed') : l10n.t('NOT as it was signed'))}`,
    plain(
      isGood
        ? l10n.t('Every file of the installed version was read and compared with what the publisher has signed.')
        : l10n.t(
            'What is installed on this machine is not what the publisher has signed. Read below what differs before you use it.',
          ),
    ),
    code(path),
    ...releases.map(releaseLines),
    ...findings.map(
      ({ message, hint }) =>
        `> ${[message, hint]
          .filter(Boolean)
          .map((text) => plain(`${sentence(text)}.`))
          .join(' ')}`,
    ),
    ...(differenceCount === 0
      ? []
      : [
          `## ${plain(differenceCount === 1 ? l10n.t('1 file differs') : l10n.t('{0} files differ', differenceCount))}`,
        ]),
    differences.map(({ kind, path: file, detail }) => `- ${plain(kind)} ${code(file)} ${plain(detail)}`).join('\n'),
  ].join('\n\n')
}

const releaseLines = ({ version, platform, published, signers, threshold }: ProofAnswer['releases'][number]): string =>
  [
    `**${plain(version)}** (${plain(platform)}), ${plain(l10n.t('published {0}', time(new Date(published))))}, ${plain(threshold === 1 ? l10n.t('1 signature needed') : l10n.t('{0} signatures needed', threshold))}`,
    ...signers.map(({ keyId, name }) => `- ${plain(l10n.t('signed by {0}', name ?? keyId))}`),
  ].join('\n')

const plain = (text: string): string => asMarkdown(show(text))
const code = (text: string): string => `\`${show(text).replaceAll('`', '')}\``
