// The tree of products as VS Code asks for it.
import assert from 'node:assert/strict'
import { EventEmitter } from 'vscode'
import { reduce } from '../../../extension/src/state.ts'
import { pastUpdateView } from '../../../extension/src/view-model.ts'
import { type Element, productTree } from '../../../extension/src/views/products.ts'
import { productOf, updateOf } from '../../extension/control-server.ts'
import { hostileProduct, modelOf } from './hostile.ts'
import type { HostTests } from './tests.ts'

const treeFor = () => {
  const changed = new EventEmitter<Element | undefined>()
  const fired: (Element | undefined)[] = []
  changed.event((element) => fired.push(element))
  const asked: string[] = []
  const tree = productTree(changed, async (product) => {
    asked.push(product)
    return [pastUpdateView({ ...updateOf({ state: 'committed' }), platform: 'any', steps: [] })]
  })
  const children = async (element?: Element) => (await tree.getChildren(element)) as Element[]
  const all = async (element?: Element): Promise<Element[]> => {
    const found: Element[] = []
    for (const child of await children(element)) found.push(child, ...(await all(child)))
    return found
  }
  return { tree, fired, asked, children, all }
}
const many = (count: number) => Array.from({ length: count }, (_, index) => productOf(`p${index}`))

export const treeTests: HostTests = {
  'products are sorted by name': async () => {
    const { tree, children } = treeFor()
    tree.draw(modelOf([productOf('beta'), productOf('acme')]))
    const labels = await Promise.all((await children()).map(async (element) => (await tree.getTreeItem(element)).label))
    assert.deepEqual(labels, ['acme', 'beta'])
  },

  'progress of one product in a thousand draws one row': () => {
    const { tree, fired } = treeFor()
    const model = modelOf(many(1_000))
    tree.draw(model)
    fired.length = 0
    const event = { kind: 'update', product: 'p500', update: updateOf() } as const
    tree.draw(reduce(model, { kind: 'event', recorded: { cursor: model.cursor + 1, at: '', event } }))
    assert.deepEqual(fired, [{ kind: 'product', key: 'p500', about: { kind: 'product', product: 'p500' } }])
  },

  'a product that appears or goes makes the whole list be drawn again': () => {
    const { tree, fired } = treeFor()
    tree.draw(modelOf(many(2)))
    tree.draw(modelOf(many(3)))
    tree.draw(modelOf(many(2)))
    assert.deepEqual(fired, [undefined, undefined, undefined])
  },

  'every row of the tree has an id of its own': async () => {
    const { tree, all } = treeFor()
    tree.draw(modelOf([hostileProduct(), productOf('acme', { update: updateOf() })]))
    const ids = await Promise.all((await all()).map(async (element) => (await tree.getTreeItem(element)).id))
    assert(ids.length > 20)
    assert.equal(new Set(ids).size, ids.length)
  },

  'no row carries a command or Markdown': async () => {
    const { tree, all } = treeFor()
    tree.draw(modelOf([hostileProduct()]))
    for (const element of await all()) {
      const item = await tree.getTreeItem(element)
      assert.equal(item.command, undefined)
      assert.equal(typeof item.label, 'string')
      assert.equal(typeof item.tooltip, 'string')
    }
  },

  'the accessible name of a product says its trust in words': async () => {
    const { tree, children } = treeFor()
    tree.draw(modelOf([productOf('acme', { update: updateOf() })]))
    const [element] = await children()
    assert(element !== undefined)
    const { accessibilityInformation } = await tree.getTreeItem(element)
    assert.equal(accessibilityInformation?.label, 'acme, Trusted, 42%, 1.0.0 → 1.1.0')
  },
}
