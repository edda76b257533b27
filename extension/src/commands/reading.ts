// Commands that only show something: they ask the agent for nothing but what it says anyway, so they work in Restricted Mode.
import { isAbsolute } from 'node:path'
import { commands, env, FileType, l10n, UIKind, Uri, window, workspace } from 'vscode'
import type { CommandContext, Commands, Target } from '../commands.ts'
import { diagnosticsOf } from '../diagnostics.ts'
import { show } from '../text.ts'
import type { ProductView } from '../view-model.ts'
import { warningsTitle } from '../views/pages.ts'
import { findingTitle } from '../views/words.ts'

export const readingCommands = ({
  connection,
  log,
  model,
  pages,
  version,
  showActivity,
  tell,
}: CommandContext): Commands => {
  const productOf = (target: Target): ProductView | undefined => {
    const about = target?.about
    return about === undefined || about.kind === 'source' ? undefined : model().products.get(about.product)
  }

  return {
    refresh: async () => connection.refresh(),
    showLog: async () => log.show(),
    showActivity: async () => showActivity(),
    showWarnings: async () => {
      await pages.open(warningsTitle(), { kind: 'warnings' })
      await commands.executeCommand('setContext', 'updraft.warningsRead', true) // A step of the walkthrough.
    },
    openRepositorySettings: () =>
      tell(l10n.t('Updraft could not open the settings of a repository'), async () => {
        const file = await pickRepositorySettings()
        if (file !== undefined) await window.showTextDocument(file)
      }),
    getStarted: async () => {
      await commands.executeCommand('workbench.action.openWalkthrough', 'updraft.updraft#start', false)
    },

    showFinding: (target) =>
      tell(l10n.t('Updraft could not show the details'), async () => {
        const about = target?.about
        if (about?.kind !== 'finding') return void (await commands.executeCommand('updraft.trust.focus'))
        const name = model().products.get(about.product)?.name ?? ''
        await pages.open(show(`${name}: ${findingTitle(about.code)}`, 100), about)
      }),

    showNotes: (target) =>
      tell(l10n.t('Updraft could not show the release notes'), async () => {
        const product = productOf(target)
        if (product?.available === undefined) return
        const title = show(l10n.t('{0} {1}: release notes', product.name, product.available.version), 100)
        await pages.open(title, { kind: 'notes', product: product.key })
      }),

    openFolder: (target) =>
      tell(l10n.t('Updraft could not open the folder'), async () => {
        const path = productOf(target)?.installed?.key
        if (path === undefined) return
        if (!isAbsolute(path) || path.includes('\0'))
          throw new Error(l10n.t('the agent has not named an absolute path'))
        const folder = Uri.file(path)
        const isLocal = env.uiKind === UIKind.Desktop && env.remoteName === undefined
        if (isLocal) await commands.executeCommand('revealFileInOS', folder)
        // On the remote side VS Code itself makes this an address of that side.
        else await commands.executeCommand('vscode.openFolder', folder, { forceNewWindow: true })
      }),

    copyDiagnostics: () =>
      tell(l10n.t('Updraft could not copy the diagnostics'), async () => {
        await env.clipboard.writeText(diagnosticsOf(model(), version))
        window.setStatusBarMessage(l10n.t('Updraft: diagnostics copied'), 3_000)
      }),
  }
}

const REPOSITORIES_MAX = 50

/** The `repository.json` of the folders that are open; of several the one that is chosen, without any whatever is named. */
const pickRepositorySettings = async (): Promise<Uri | undefined> => {
  const nearby = await nearbyRepositorySettings()
  const found = nearby.length > 0 ? nearby : await searchedRepositorySettings()
  if (found.length === 1) return found[0]
  if (found.length === 0) {
    const openLabel = l10n.t('Open repository.json')
    return (await window.showOpenDialog({ openLabel, filters: { JSON: ['json'] } }))?.[0]
  }
  const items = found.map((file) => ({ label: workspace.asRelativePath(file), file }))
  return (await window.showQuickPick(items, { placeHolder: l10n.t('Which repository?') }))?.file
}

/** Anywhere in the folders. Where VS Code has no search program, there is nothing to be found. */
const searchedRepositorySettings = (): Promise<readonly Uri[]> =>
  Promise.resolve(workspace.findFiles('**/repository.json', '**/node_modules/**', REPOSITORIES_MAX)).catch(() => [])

/** In the folders that are open, and right below, where search may leave them out. */
const nearbyRepositorySettings = async (): Promise<readonly Uri[]> => {
  const found: Uri[] = []
  for (const { uri } of workspace.workspaceFolders ?? []) {
    const entries = await workspace.fs.readDirectory(uri)
    const below = entries.filter(([, type]) => type === FileType.Directory).slice(0, REPOSITORIES_MAX)
    for (const folder of [uri, ...below.map(([name]) => Uri.joinPath(uri, name))]) {
      const file = Uri.joinPath(folder, 'repository.json')
      const isThere = await workspace.fs.stat(file).then(
        () => true,
        () => false,
      )
      if (isThere) found.push(file)
    }
  }
  return found
}
