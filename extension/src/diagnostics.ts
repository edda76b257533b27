// What a report about a problem needs: versions, where the agent is, what the extension believes. Cleaned text only; no
// settings, no environment, nothing of the workspace.
import { version as editorVersion, env } from 'vscode'
import type { Model } from './state.ts'
import type { ProductView } from './view-model.ts'

/** JSON for the clipboard. */
export const diagnosticsOf = (model: Model, extensionVersion: string): string =>
  JSON.stringify(
    {
      at: new Date().toISOString(),
      extension: extensionVersion,
      editor: `${env.appName} ${editorVersion}`,
      remote: env.remoteName ?? null,
      platform: `${process.platform}-${process.arch}`,
      node: process.version,
      ...model,
      sources: [...model.sources.values()].map(({ key: _url, ...source }) => source),
      products: [...model.products.values()].map(cleaned),
    },
    null,
    2,
  )

/** Without what is kept exactly as the agent says it. */
const cleaned = ({ key: _name, installed, available, toApprove, ...product }: ProductView): object => ({
  ...product,
  toApprove: toApprove?.version,
  ...(installed === undefined
    ? {}
    : { installed: { version: installed.version, path: installed.path, at: installed.at } }),
  ...(available === undefined ? {} : { available: { version: available.version, published: available.published } }),
})
