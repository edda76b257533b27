// Commands about one product: what its owner wants of the agent. From the palette they ask which product is meant.
import type { Wish } from '@updraft/core/control/api'
import { commands, l10n, ProgressLocation, window } from 'vscode'
import type { CommandContext, Commands, Target } from '../commands.ts'
import { type Shown, show } from '../text.ts'
import { APPROVAL_RULES, type ProductView, type ToApprove } from '../view-model.ts'
import { proofPage } from '../views/proof-page.ts'
import { sentence, versionsOf } from '../views/words.ts'

export const productCommands = ({ connection, model, pages, act, tell }: CommandContext): Commands => {
  const pick = (target: Target, suits: (product: ProductView) => boolean): Promise<ProductView | undefined> =>
    productFor([...model().products.values()], target, suits)

  const wish = async (product: ProductView, wanted: Wish, done: string): Promise<void> => {
    await connection.ask((client, options) => client.wish(product.key, wanted, options))
    window.setStatusBarMessage(done, MESSAGE_MS)
  }
  /** Exactly the version that the person has seen. False if they did not want it after all. */
  const approve = async (product: ProductView, { version, key, newSigner }: ToApprove): Promise<boolean> => {
    if (newSigner !== undefined && !(await believes(product, version, newSigner))) return false
    const wanted: Wish = { kind: 'approve', version: key }
    await wish(product, wanted, l10n.t('Updraft: {0} {1} is approved', product.name, version))
    return true
  }
  const check = (product?: ProductView): Promise<void> =>
    inView(async () => {
      const request = product === undefined ? {} : { product: product.key }
      await connection.ask((client, options) => client.check(request, options))
    })

  return {
    checkForUpdates: (target) =>
      act(l10n.t('Updraft could not check for updates'), async () => {
        const about = target?.about
        await check(about === undefined || about.kind === 'source' ? undefined : model().products.get(about.product))
      }),

    updateNow: (target) =>
      act(l10n.t('Updraft could not update'), async () => {
        const product = await pick(target, hasNewer)
        if (product === undefined) return
        if (product.toApprove !== undefined && !(await approve(product, product.toApprove))) return
        await check(product)
        const inTheWay = product.decision.find(({ rule, passed }) => !passed && !APPROVAL_RULES.has(rule))
        if (inTheWay === undefined) return
        const show = l10n.t('Show')
        const text = l10n.t(
          'Updraft looks for an update of {0} now. At the last check this held it back: {1}.',
          product.name,
          inTheWay.detail,
        )
        if ((await window.showInformationMessage(text, show)) === show)
          await commands.executeCommand('updraft.products.focus')
      }),

    approve: (target) =>
      act(l10n.t('Updraft could not approve the update'), async () => {
        const product = await pick(target, ({ toApprove }) => toApprove !== undefined)
        if (product === undefined) return
        if (product.toApprove !== undefined) await approve(product, product.toApprove)
        else void window.showInformationMessage(l10n.t('No version of {0} waits for your approval now.', product.name))
      }),

    hold: (target) =>
      act(l10n.t('Updraft could not hold the product'), async () => {
        const product = await pick(target, ({ isHeld }) => !isHeld)
        const until = product === undefined ? undefined : await pickHold(product)
        if (product === undefined || until === undefined) return
        const wanted: Wish = { kind: 'hold', ...(until === 'ever' ? {} : { until: until.toISOString() }) }
        await wish(product, wanted, l10n.t('Updraft: {0} stays as it is', product.name))
      }),

    unhold: (target) =>
      act(l10n.t('Updraft could not end the hold'), async () => {
        const product = await pick(target, ({ isHeld }) => isHeld)
        if (product !== undefined)
          await wish(product, { kind: 'unhold' }, l10n.t('Updraft: {0} is updated again', product.name))
      }),

    skip: (target) =>
      act(l10n.t('Updraft could not skip the version'), async () => {
        const product = await pick(target, hasNewer)
        if (product?.available === undefined) return
        const { version, key } = product.available
        const skip = l10n.t('Skip')
        const detail = l10n.t(
          'This machine then waits for the version after it. “Approve Update” lets {0} in again.',
          version,
        )
        const question = l10n.t('Skip {0} {1}?', product.name, version)
        if ((await window.showWarningMessage(question, { modal: true, detail }, skip)) !== skip) return
        await wish(
          product,
          { kind: 'skip', version: key },
          l10n.t('Updraft: {0} {1} is skipped', product.name, version),
        )
      }),

    rollBack: (target) =>
      act(l10n.t('Updraft could not roll back'), async () => {
        const about = target?.about
        const product = await pick(target, ({ installed }) => installed !== undefined)
        if (product?.installed === undefined) return
        const version = about?.kind === 'version' ? about.version : undefined
        const rollBack = l10n.t('Roll Back')
        const question =
          version === undefined
            ? l10n.t('Roll {0} back from {1} to the version before it?', product.name, product.installed.version)
            : l10n.t('Roll {0} back from {1} to {2}?', product.name, product.installed.version, show(version, 64))
        const detail = l10n.t(
          '{0} is then not installed again on this machine unless you run “Try Again”. Newer versions are installed as usual.',
          product.installed.version,
        )
        if ((await window.showWarningMessage(question, { modal: true, detail }, rollBack)) !== rollBack) return
        await inView(async () => {
          const request = version === undefined ? {} : { version }
          const done = await connection.ask((client, options) => client.rollback(product.key, request, options))
          window.setStatusBarMessage(
            l10n.t('Updraft: {0} is at {1} again', product.name, show(done.version, 64)),
            MESSAGE_MS,
          )
        })
      }),

    retry: (target) =>
      act(l10n.t('Updraft could not try again'), async () => {
        const product = await pick(target, ({ update, bad }) => update?.phase === 'failed' || bad.length > 0)
        if (product === undefined) return
        const { lifted } = await connection.ask((client, options) => client.retry(product.key, options))
        const versions = lifted.map((version) => show(version, 64)).join(', ')
        window.setStatusBarMessage(
          versions === ''
            ? l10n.t('Updraft: looking for updates of {0}', product.name)
            : l10n.t('Updraft: {0} {1} may be tried again', product.name, versions),
          MESSAGE_MS,
        )
      }),

    verify: (target) =>
      tell(l10n.t('Updraft could not verify'), async () => {
        const product = await pick(target, ({ installed }) => installed !== undefined)
        if (product === undefined) return
        const title = l10n.t('Verifying {0}, file by file', product.name)
        const proof = await window.withProgress({ location: ProgressLocation.Notification, title }, () =>
          connection.ask((client, options) => client.proof(product.key, options)),
        )
        await pages.openText(show(l10n.t('Verification of {0}', product.name)), proofPage(product.name, proof))
      }),
  }
}

const MESSAGE_MS = 5_000
const HOUR_MS = 3_600_000

const inView = async (action: () => Promise<void>): Promise<void> =>
  await window.withProgress({ location: { viewId: 'updraft.products' } }, action)

/** Whoever approves what somebody else has signed decides about trust: they see who, and are told what to ask first. */
const believes = async ({ name }: ProductView, version: string, newSigner: Shown): Promise<boolean> => {
  const approve = l10n.t('Approve the New Signer')
  const question = l10n.t('Approve {0} {1}, although its signer is new?', name, version)
  const detail = [
    `${sentence(newSigner)}.`,
    l10n.t(
      'Approve it only if the publisher has told you that the new signer is theirs, in a way that you have used before. If they know nothing of it, somebody else may have their keys: close this.',
    ),
  ].join('\n\n')
  return (await window.showWarningMessage(question, { modal: true, detail }, approve)) === approve
}

const hasNewer = ({ available, installed }: ProductView): boolean =>
  available !== undefined && available.version !== installed?.version

/** The product that the menu was opened on; else the one that suits, or that the person picks of several. */
const productFor = async (
  products: readonly ProductView[],
  target: Target,
  suits: (product: ProductView) => boolean,
): Promise<ProductView | undefined> => {
  const about = target?.about
  if (about !== undefined && about.kind !== 'source') return products.find(({ key }) => key === about.product)
  const fitting = products.filter(suits)
  if (fitting.length === 0) {
    void window.showInformationMessage(l10n.t('No product needs this now.'))
    return undefined
  }
  if (fitting.length === 1) return fitting[0]
  const items = fitting.map((product) => ({ label: product.name, description: versionsOf(product), product }))
  return (await window.showQuickPick(items, { placeHolder: l10n.t('Which product?') }))?.product
}

const pickHold = async ({ name }: ProductView): Promise<Date | 'ever' | undefined> => {
  const after = (hours: number) => new Date(Date.now() + hours * HOUR_MS)
  const items = [
    { label: l10n.t('For a day'), until: after(24) },
    { label: l10n.t('For a week'), until: after(7 * 24) },
    { label: l10n.t('Until I end it'), until: 'ever' as const },
  ]
  const placeHolder = l10n.t('How long should {0} stay at its version, even if the publisher withdraws it?', name)
  return (await window.showQuickPick(items, { placeHolder }))?.until
}
