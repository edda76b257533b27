// Pages to read: the details of a finding, release notes, what every warning means, what a verification found. Virtual
// Markdown documents, shown by VS Code's own preview; whatever comes from the agent stands in them as plain text, and
// release notes as Markdown that does nothing.
import { FINDINGS, type FindingCode } from '@updraft/core/trust/finding'
import { commands, Disposable, EventEmitter, l10n, Uri, workspace } from 'vscode'
import type { Model } from '../state.ts'
import { asMarkdown, type Shown, show, showMarkdown } from '../text.ts'
import type { FindingView, ProductView, SignerView, SourceView } from '../view-model.ts'
import { findingText } from './finding-texts.ts'
import { wordsIn } from './message-words.ts'
import { groupsOf, levelWord, pinnedWord, sentence, severityWord, signaturesOf, time } from './words.ts'

const SCHEME = 'updraft'

export type Page =
  | { readonly kind: 'finding'; readonly product: string; readonly code: string }
  | { readonly kind: 'notes'; readonly product: string }
  | { readonly kind: 'warnings' }
  | { readonly kind: 'text'; readonly id: string }

export interface Pages extends Disposable {
  readonly open: (title: Shown, page: Page) => Promise<void>
  /** Shows Markdown that was made of cleaned text only. */
  readonly openText: (title: Shown, markdown: string) => Promise<void>
  readonly draw: () => void
}

export const createPages = (model: () => Model): Pages => {
  const changed = new EventEmitter<Uri>()
  const opened = new Map<string, Uri>()
  const texts = new Map<string, string>()
  const contentOf = (page: Page): string =>
    page.kind === 'text' ? (texts.get(page.id) ?? '') : markdownOf(page, model())

  const provider = workspace.registerTextDocumentContentProvider(SCHEME, {
    onDidChange: changed.event,
    provideTextDocumentContent: (uri) => {
      opened.set(uri.toString(), uri)
      return contentOf(pageOf(uri))
    },
  })
  const closed = workspace.onDidCloseTextDocument(({ uri }) => opened.delete(uri.toString()))

  const open = async (title: Shown, page: Page): Promise<void> => {
    const path = `/${title.replaceAll(/[/\\?#%]/g, ' ')}.md`
    const uri = Uri.from({ scheme: SCHEME, path, query: JSON.stringify(page) })
    changed.fire(uri) // It may be open with what was true earlier.
    await commands.executeCommand('markdown.showPreview', uri)
  }
  return {
    open,
    openText: async (title, markdown) => {
      texts.set(title, markdown)
      await open(title, { kind: 'text', id: title })
    },
    draw: () => {
      for (const uri of opened.values()) changed.fire(uri)
    },
    dispose: () => Disposable.from(provider, closed, changed).dispose(),
  }
}

/** A document that anybody may ask for by its address: what is not understood is the page that needs nothing. */
const pageOf = ({ query }: Uri): Page => {
  try {
    const page: unknown = JSON.parse(query)
    if (typeof page === 'object' && page !== null && 'kind' in page) return page as Page
  } catch {}
  return { kind: 'warnings' }
}

const markdownOf = (page: Exclude<Page, { kind: 'text' }>, model: Model): string => {
  if (page.kind === 'warnings') return allWarnings()
  const product = model.products.get(page.product)
  if (product === undefined) return l10n.t('There is no such product any more.')
  if (page.kind === 'notes') return notesPage(product)
  const finding = product.findings.find(({ code }) => code === page.code)
  return finding === undefined
    ? l10n.t('This no longer holds: the agent has nothing more to say about it.')
    : findingPage(product, finding, model.sources.get(product.source))
}

const notesPage = ({ name, available }: ProductView): string =>
  available?.notes === undefined
    ? l10n.t('The publisher has written no notes for this release.')
    : `# ${asMarkdown(name)} ${asMarkdown(available.version)}\n\n${showMarkdown(available.notes)}`

/** Exported for its tests. */
export const findingPage = (product: ProductView, finding: FindingView, source: SourceView | undefined): string => {
  const { code, severity, message, hint, since } = finding
  const { title, happened, did, todo } = findingText(code, severity)
  const words = wordsIn(message)
  return [
    `# ${plain(title)}`,
    [
      `**${asMarkdown(product.name)}**`,
      plain(severityWord(severity)),
      plain(l10n.t('since {0}', time(since))),
      `\`${code.replaceAll('`', '')}\``,
    ].join(' · '),
    heading(l10n.t('What happened')),
    plain(happened),
    `**${plain(l10n.t('Message of the agent:'))}**`,
    `> ${plain(sentence(message))}`,
    ...(words.length === 0 ? [] : [words.map((word) => `- ${plain(word)}`).join('\n')]),
    heading(l10n.t('What the agent did')),
    plain(did),
    heading(l10n.t('What you can do')),
    plain(todo),
    ...(hint === undefined ? [] : [plain(l10n.t('The agent adds: {0}.', sentence(hint)))]),
    heading(l10n.t('How things stand')),
    table(factsOf(product, source)),
    // A preview follows no link to a page like this one, and runs no command.
    plain(l10n.t('What every other warning means: run “Updraft: Explain All Warnings”.')),
  ].join('\n\n')
}

const factsOf = (product: ProductView, source: SourceView | undefined): readonly (readonly [string, string])[] => [
  [l10n.t('Installed'), product.installed?.version ?? l10n.t('nothing')],
  [l10n.t('Available'), product.available?.version ?? l10n.t('nothing that can be trusted')],
  [l10n.t('Trust'), `${levelWord(product.level)}, ${signaturesOf(product)}`],
  ...product.signers.map((signer) => [l10n.t('Signed by'), signerText(signer)] as const),
  ...(source === undefined ? [] : factsOfSource(source)),
]

const signerText = ({ name, keyId, organization, authority, validUntil }: SignerView): string =>
  name === undefined
    ? keyId
    : [
        organization === undefined ? name : `${name}, ${organization}`,
        l10n.t('key {0}', keyId.slice(0, 8)),
        ...(authority === undefined ? [] : [l10n.t('{0} vouches for it', authority)]),
        ...(validUntil === undefined ? [] : [l10n.t('until {0}', time(validUntil))]),
      ].join('; ')

const factsOfSource = (source: SourceView): readonly (readonly [string, string])[] => [
  [l10n.t('Source'), `${source.name}, ${source.url}`],
  [l10n.t('Publisher’s keys (root)'), l10n.t('version {0}, {1}', source.rootVersion, pinnedWord(source.pinnedBy))],
  [l10n.t('Fingerprint of the root'), groupsOf(source.fingerprint).join(' ')],
  ...(source.expires === undefined ? [] : [[l10n.t('Signed list valid until'), time(source.expires.at)] as const]),
  ...(source.lastCheck === undefined ? [] : [[l10n.t('Last checked'), time(source.lastCheck.at)] as const]),
]

/** The documentation of all findings, made of the same words. */
export const allWarnings = (): string =>
  [
    `# ${plain(l10n.t('What every warning means'))}`,
    plain(
      l10n.t(
        'The agent installs only what the publisher has signed. It starts from one file, the “root”, which lists the publisher’s keys. With these keys the publisher signs a list of all releases and their checksums, and renews it regularly. Whatever is downloaded, and from whom, is compared with this list. Where a text speaks of the message: it stands with the warning in the Trust view.',
      ),
    ),
    ...Object.entries(FINDINGS).flatMap(([code, { severity }]) => {
      const { title, happened, did, todo } = findingText(code as FindingCode, severity)
      return [
        heading(title),
        `${plain(severityWord(severity))} · \`${code}\``,
        plain(happened),
        `**${plain(l10n.t('What the agent does:'))}** ${plain(did)}`,
        `**${plain(l10n.t('What you can do:'))}** ${plain(todo)}`,
      ]
    }),
  ].join('\n\n')

const heading = (text: string): string => `## ${plain(text)}`

const table = (rows: readonly (readonly [string, string])[]): string =>
  ['| | |', '|---|---|', ...rows.map(([name, value]) => `| ${plain(name)} | ${plain(value)} |`)].join('\n')

/** Sentences that may be longer than what the agent says; the agent's part of them is clean already. */
const plain = (text: string): string => asMarkdown(show(text, 2_000))

export const warningsTitle = (): Shown => show(l10n.t('Updraft warnings'))
