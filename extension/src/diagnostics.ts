// What a report about a problem needs: versions, where the agent is, what the extension believes. Cleaned text only; no
// settings, no environment, nothing of the workspace.
import { version as editorVersion, env } from 'vscode'
import type { Model } from './state.ts'

/** JSON for the clipboard. */
export const diagnosticsOf = (model: Model, extensionVersion: string): string =>
  JSON.stringify(
    {
      extension: extensionVersion,
      editor: `${env.appName} ${editorVersion}`,
      remote: env.remoteName ?? null,
      platform: `${process.platform}-${process.arch}`,
      node: process.version,
      ...model,
      sources: [...model.sources.values()],
      products: [...model.products.values()].map(({ key: _uncleaned, ...product }) => product),
    },
    null,
    2,
  )
