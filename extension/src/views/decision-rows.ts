// The rows that answer "why": every rule of the agent's last decision, and when it looks again.
import type { TrustLevel } from '@updraft/core/trust/finding'
import { l10n, ThemeIcon } from 'vscode'
import type { ProductView, RuleView } from '../view-model.ts'
import { lines, type Row } from './row.ts'
import { ruleWord, sentence, time } from './words.ts'

export const decisionRow = ({ decision, level, decidedAt, nextCheckAt }: ProductView): Row => ({
  id: 'decision',
  label: l10n.t('Why'),
  ...answerOf(decision, level),
  icon: new ThemeIcon('question'),
  children: [
    ...decision.map(ruleRow),
    ...(nextCheckAt === undefined
      ? []
      : [
          {
            id: 'again',
            label: l10n.t('Next check {0}', time(nextCheckAt)),
            tooltip: decidedAt === undefined ? '' : l10n.t('Decided {0}', time(decidedAt)),
            icon: new ThemeIcon('clock'),
          },
        ]),
  ],
})

const ruleRow = ({ rule, passed, detail, version, recheckAt }: RuleView, index: number): Row => {
  const word = ruleWord(rule)
  const text = version === undefined || detail.includes(version) ? detail : `${version}: ${detail}`
  return {
    id: `rule ${index}`,
    label: word,
    description: text,
    tooltip: lines(
      passed ? l10n.t('Passed: {0}', word) : l10n.t('Not passed: {0}', word),
      sentence(text),
      recheckAt === undefined ? '' : l10n.t('Checked again {0}', time(recheckAt)),
    ),
    icon: new ThemeIcon(passed ? 'pass' : 'circle-slash'),
    spoken: passed ? l10n.t('passed') : l10n.t('not passed'),
  }
}

/**
 * Of several rules that did not pass, the owner's own hold says most. While updates are refused, the findings are the answer,
 * and the rules are those of an earlier look.
 */
const answerOf = (decision: readonly RuleView[], level: TrustLevel): { readonly description?: string } => {
  const notPassed = decision.filter(({ passed }) => !passed)
  const failed = notPassed.find(({ rule }) => rule === 'not-held') ?? notPassed[0]
  if (failed !== undefined) return { description: failed.detail }
  return level === 'untrusted' ? {} : { description: l10n.t('every rule passed') }
}

/** How far a release is rolled out, and where this machine is in the queue, if the publisher has said so. */
export const rolloutRows = ({ decision }: ProductView): readonly Row[] => {
  const rule = decision.find((candidate) => candidate.rule === 'rollout')
  if (rule === undefined) return []
  return [
    {
      id: 'rollout',
      label: l10n.t('Rollout'),
      description: rule.detail,
      tooltip: lines(sentence(rule.detail), l10n.t('Each machine has a place of its own in the queue, by chance.')),
      icon: new ThemeIcon('organization'),
    },
  ]
}
