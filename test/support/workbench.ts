// What a person sees and does in VS Code's window, by DOM and text and never by pixels, since versions draw differently.
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Browser, Frame, Locator, Page } from 'playwright-core'
import type { VscodeServer } from './vscode-server.ts'

/** Allows for two VS Codes and their browsers on two busy cores, and ends before the test runner gives up without a reason. */
export const SCREEN_TIMEOUT_MS = 50_000

export interface Workbench extends AsyncDisposable {
  readonly page: Page
  /** The status bar item, by the id that VS Code makes of publisher, extension name and item. */
  readonly statusItem: (id: string) => Locator
  /** Rows of the view that is open in the side bar. */
  readonly rows: Locator
  /** The row whose accessible name begins so. */
  readonly row: (name: string) => Locator
  readonly openContainer: (name: string) => Promise<void>
  /** Runs a command through the palette, as a person does. */
  readonly runCommand: (title: string) => Promise<void>
  /** Titles that the palette offers for what is typed. */
  readonly offeredCommands: (typed: string) => Promise<readonly string[]>
  /** The hover that appears over an element. */
  readonly hoverOver: (element: Locator) => Promise<Locator>
  /** The notification that contains `text`, in the list of all: under test the newest VS Code pops none up. */
  readonly notification: (text: string) => Promise<Locator>
  /** Waits for the input with this title, types into it, and confirms it. */
  readonly answer: (title: string, text: string) => Promise<void>
  /** Takes an entry of the list that is open. */
  readonly choose: (label: string) => Promise<void>
  /** The modal that is open. */
  readonly dialog: Locator
  /** The frame of a preview or of another webview that contains `text`. */
  readonly frameWith: (text: string) => Promise<Frame>
  /** Writes a picture of the window into the folder that UPDRAFT_SCREENSHOTS names, if it does. */
  readonly picture: (name: string) => Promise<void>
}

/** Waits until `holds`, for what cannot be waited for on the screen. */
export const until = async (holds: () => boolean | Promise<boolean>): Promise<void> => {
  const deadline = Date.now() + SCREEN_TIMEOUT_MS
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`still not so after ${SCREEN_TIMEOUT_MS} ms: ${holds}`)
    await delay(20)
  }
}

export interface WorkbenchOptions {
  /** Folder to open; without it the window is empty, and trusted. */
  readonly folder?: string
  readonly colorScheme?: 'dark' | 'light'
}

export const openWorkbench = async (
  browser: Browser,
  server: VscodeServer,
  options: WorkbenchOptions = {},
): Promise<Workbench> => {
  const context = await browser.newContext({
    viewport: { width: 1680, height: 900 },
    permissions: ['clipboard-read', 'clipboard-write'],
    colorScheme: options.colorScheme ?? 'dark',
  })
  const page = await context.newPage()
  page.setDefaultTimeout(SCREEN_TIMEOUT_MS)
  const query = options.folder === undefined ? 'ew=true' : `folder=${encodeURIComponent(options.folder)}`
  await page.goto(`http://127.0.0.1:${server.port}/?${query}`)
  await page.locator('.monaco-workbench .part.statusbar').waitFor()

  const palette = page.locator('.quick-input-widget')
  const type = async (text: string): Promise<void> => {
    const input = palette.locator('input').first()
    // A key pressed while the window is still busy with the last one may be lost, or close what it should open.
    await until(async () => {
      await page.keyboard.press('F1')
      return await input.waitFor({ timeout: 2_000 }).then(
        () => true,
        () => false,
      )
    })
    await input.fill(`>${text}`)
    await palette.locator('.monaco-list-row').first().waitFor()
  }
  const rows = page.locator('.pane-body [role=treeitem]')
  const runCommand = async (title: string): Promise<void> => {
    await type(title)
    await palette.locator('.monaco-list-row', { hasText: title }).first().click()
  }
  return {
    page,
    rows,
    row: (name) => page.locator(`.pane-body [role=treeitem][aria-label^=${JSON.stringify(name)}]`),
    statusItem: (id) => page.locator(`[id=${JSON.stringify(id)}]`),
    openContainer: async (name) => {
      const tab = page.getByRole('tab', { name })
      if ((await tab.getAttribute('aria-selected')) !== 'true') await tab.click()
    },
    runCommand,
    offeredCommands: async (typed) => {
      await type(typed)
      const labels = await palette.locator('.monaco-list-row .label-name').allInnerTexts()
      await page.keyboard.press('Escape')
      return labels
    },
    hoverOver: async (element) => {
      await element.hover()
      const hover = page.locator('.monaco-hover:visible, .workbench-hover:visible').first()
      await hover.waitFor()
      return hover
    },
    notification: async (text) => {
      await runCommand('Notifications: Show Notifications')
      const notification = page.locator('.notifications-center .notification-list-item', { hasText: text })
      await notification.waitFor()
      return notification
    },
    answer: async (title, text) => {
      await palette.locator('.quick-input-title', { hasText: title }).waitFor()
      await palette.locator('input').first().fill(text)
      await page.keyboard.press('Enter')
    },
    choose: (label) => palette.locator('.monaco-list-row', { hasText: label }).first().click(),
    dialog: page.locator('.monaco-dialog-box'),
    frameWith: async (text) => {
      let found: Frame | undefined
      await until(async () => {
        for (const frame of page.frames()) {
          const content = await frame.evaluate<string>('document.body?.innerText ?? ""').catch(() => '')
          if (content.includes(text)) found = frame
        }
        return found !== undefined
      })
      return found ?? page.mainFrame()
    },
    picture: async (name) => {
      const folder = process.env.UPDRAFT_SCREENSHOTS
      if (folder !== undefined) await page.screenshot({ path: join(folder, `${name}.png`) })
    },
    [Symbol.asyncDispose]: () => context.close(),
  }
}
