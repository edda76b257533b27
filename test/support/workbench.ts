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
  /**
   * Unfolds a row. It is clicked until it is: rows may be drawn anew under the pointer, and then the click is for another one.
   */
  readonly unfold: (name: string) => Promise<void>
  /** Opens the context menu of a row, and chooses in it. */
  readonly chooseFromMenu: (row: string, title: string) => Promise<void>
  /** Rolls the view under the pointer down until the row is in sight: what is out of sight is not drawn. */
  readonly rollTo: (row: Locator) => Promise<void>
  /** Every row of a view that is open, in order, also those that are out of sight: for a moment the window is high enough. */
  readonly allRows: (view: string) => Promise<readonly ShownRow[]>
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

/** A row of a tree as a screen reader has it. */
export interface ShownRow {
  /** From 1. */
  readonly level: number
  readonly label: string
}

/** Waits until `holds`, for what cannot be waited for on the screen. */
export const until = async (holds: () => boolean | Promise<boolean>): Promise<void> => {
  const deadline = Date.now() + SCREEN_TIMEOUT_MS
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`still not so after ${SCREEN_TIMEOUT_MS} ms: ${holds}`)
    await delay(20)
  }
}

/** Whether it is to be seen within so many milliseconds. */
export const appears = (element: Locator, timeout: number): Promise<boolean> =>
  element.waitFor({ timeout }).then(
    () => true,
    () => false,
  )

const TALL = 2_600

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
      return await input.fill(`>${text}`, { timeout: 3_000 }).then(
        () => true,
        () => false,
      )
    })
    await palette.locator('.monaco-list-row').first().waitFor()
  }
  const rows = page.locator('.pane-body [role=treeitem]')
  const rowOf = (name: string): Locator =>
    page.locator(`.pane-body [role=treeitem][aria-label^=${JSON.stringify(name)}]`)
  const runCommand = async (title: string): Promise<void> => {
    // A palette that was still opening forgets what was typed, and is asked again.
    await until(async () => {
      await type(title)
      const row = palette.locator('.monaco-list-row', { hasText: title }).first()
      return await row.click({ timeout: 5_000 }).then(
        () => true,
        () => false,
      )
    })
  }
  return {
    page,
    rows,
    row: rowOf,
    unfold: (name) =>
      until(async () => {
        const row = rowOf(name)
        const isUnfolded = () =>
          row.getAttribute('aria-expanded', { timeout: 5_000 }).then(
            (value) => value === 'true',
            () => false,
          )
        if (await isUnfolded()) return true
        await row.click({ timeout: 5_000 }).catch(() => {})
        await delay(500) // Its rows are asked for before it says that it is unfolded.
        return isUnfolded()
      }),
    chooseFromMenu: async (name, title) => {
      const entry = page.getByRole('menuitem', { name: title })
      // The row may be drawn anew under the pointer: then it is the menu of another one.
      await until(async () => {
        await page.keyboard.press('Escape')
        await rowOf(name).click({ button: 'right' })
        return await appears(entry, 5_000)
      })
      // A menu takes no click right after it has opened; the key is what a person without a mouse uses anyway.
      await entry.hover()
      await page.keyboard.press('Enter')
    },
    rollTo: (row) =>
      until(async () => {
        if (await row.isVisible()) return true
        await page.mouse.wheel(0, 44)
        await delay(200)
        return false
      }),
    allRows: async (view) => {
      const size = page.viewportSize() ?? { width: 1680, height: 900 }
      const side = page.locator('.part.sidebar')
      const headerOf = (name: string) => side.locator(`.pane-header[aria-label="${name} Section"]`)
      const others = side.locator(`.pane-header[aria-expanded="true"]:not([aria-label="${view} Section"]):visible`)
      const closed: string[] = []
      while ((await others.count()) > 0) {
        closed.push(((await others.first().getAttribute('aria-label')) ?? '').replace(/ Section$/, ''))
        await others.first().click()
      }
      const header = page.locator(`.pane-header[aria-label="${view} Section"]`)
      const list = side.locator('.pane', { has: header }).locator('.monaco-list')
      const shown = list.locator('.monaco-list-rows [role=treeitem]')
      await page.setViewportSize({ ...size, height: TALL })
      // All of them are drawn once there is room below the last one.
      await until(async () => {
        const [whole, row] = await Promise.all([list.boundingBox(), shown.first().boundingBox()])
        return whole !== null && row !== null && (await shown.count()) * row.height < whole.height
      })
      const all = await Promise.all(
        (await shown.all()).map(async (row) => {
          const names = ['data-index', 'aria-level', 'aria-label']
          const [index, level, label] = await Promise.all(names.map((name) => row.getAttribute(name)))
          return { index: Number(index), level: Number(level), label: label ?? '' }
        }),
      )
      await page.setViewportSize(size)
      for (const name of closed.reverse()) {
        await headerOf(name).click()
        await side.locator(`.pane-header[aria-label="${name} Section"][aria-expanded="true"]`).waitFor()
      }
      return all.sort((a, b) => a.index - b.index)
    },
    statusItem: (id) => page.locator(`[id=${JSON.stringify(id)}]`),
    openContainer: async (name) => {
      const tab = page.getByRole('tab', { name })
      // A window that is still starting may lose a click.
      await until(async () => {
        if ((await tab.getAttribute('aria-selected')) === 'true') return true
        await tab.click()
        await delay(500)
        return false
      })
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
