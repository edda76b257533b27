import { describe, expect, test } from '@jest/globals'
import { faultOfPath, faultOfTarget, foldPath, parentOf, sortKeyOf } from '@updraft/core/bundle/paths'
import fc from 'fast-check'

describe('paths', () => {
  test.each([
    'a',
    'a/b',
    '.hidden',
    '..a',
    'a..b',
    'ä/ö',
    'with space/x',
    'lib/auxiliary',
    'console',
    'com',
    'com10',
    '-',
    '@scope/x',
    '日本語',
  ])('allows %j', (path) => {
    expect(faultOfPath(path)).toBeUndefined()
  })

  test.each([
    ['', 'has an empty part'],
    ['/a', 'has an empty part'],
    ['a/', 'has an empty part'],
    ['a//b', 'has an empty part'],
    ['.', 'contains "."'],
    ['a/./b', 'contains "."'],
    ['..', 'contains ".."'],
    ['a/../b', 'contains ".."'],
    ['a\\b', 'contains one of'],
    ['c:x', 'contains one of'],
    ['a?', 'contains one of'],
    ['a*b', 'contains one of'],
    ['"', 'contains one of'],
    ['a|b', 'contains one of'],
    ['a\nb', 'control character'],
    ['a\u0000b', 'control character'],
    ['a\u0085b', 'control character'],
    ['a\u2028b', 'control character'],
    ['a.', 'ends in a space or a dot'],
    ['a ', 'ends in a space or a dot'],
    ['a /b', 'ends in a space or a dot'],
    ['con', 'is a device'],
    ['CON', 'is a device'],
    ['lib/Nul.txt', 'is a device'],
    ['com1', 'is a device'],
    ['LPT9.log', 'is a device'],
    ['com².x', 'is a device'],
    ['aux .txt', 'is a device'],
    ['conin$', 'is a device'],
    ['a\ud800b', 'half of a surrogate pair'],
    ['x'.repeat(256), 'more than 255 bytes'],
    ['ä'.repeat(128), 'more than 255 bytes'],
    [Array(65).fill('a').join('/'), '65 parts'],
    [Array(50).fill('abcdefghijklmnopqrstu').join('/'), 'at most 1024'],
  ])('refuses %j', (path, fault) => {
    expect(faultOfPath(path)).toContain(fault)
  })
})

describe('targets of links', () => {
  test.each([
    ['link', 'file'],
    ['link', 'a/b'],
    ['link', '.'],
    ['a/link', '..'],
    ['a/b/link', '../../c'],
    ['node_modules/.bin/x', '../x/bin.js'],
  ])('allows %j to point to %j', (path, target) => {
    expect(faultOfTarget(path, target)).toBeUndefined()
  })

  test.each([
    ['link', '/etc/passwd', 'absolute'],
    ['link', '..', 'out of the tree'],
    ['link', '../x', 'out of the tree'],
    ['a/link', '../../x', 'out of the tree'],
    ['a/link', 'b/../../../x', 'may only stand in front'],
    ['link', 'a/..', 'may only stand in front'],
    ['link', '', 'empty part'],
    ['link', 'a//b', 'empty part'],
    ['link', './a', 'contains "."'],
    ['link', 'a/', 'empty part'],
    ['link', 'c:\\x', 'contains one of'],
    ['link', 'a\u0000', 'control character'],
    ['link', 'x/'.repeat(600), 'too long'],
  ])('refuses %j to point to %j', (path, target, fault) => {
    expect(faultOfTarget(path, target)).toContain(fault)
  })

  test('no chain of allowed links leaves the tree', () => {
    const name = fc.constantFrom('a', 'b', 'c')
    const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/'))
    const part = fc.constantFrom('a', 'b', 'c', '..', '.')
    const target = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'))
    fc.assert(
      fc.property(fc.array(fc.tuple(path, target), { maxLength: 8 }), path, (links, start) => {
        const allowed = new Map(
          links.filter(
            ([at, to]) => faultOfTarget(at, to) === undefined && !links.some(([other]) => at.startsWith(`${other}/`)),
          ),
        )
        expect(leavesTree(allowed, start)).toBe(false)
      }),
      { numRuns: 2_000 },
    )
  })
})

/** Resolves `path` as an operating system does, and says whether it ever climbs above the root. */
const leavesTree = (links: ReadonlyMap<string, string>, path: string): boolean => {
  const todo = path.split('/')
  const at: string[] = []
  for (let hops = 0; todo.length > 0 && hops < 200; hops += 1) {
    const name = todo.shift() ?? '.'
    if (name === '..' && at.pop() === undefined) return true
    if (name === '..' || name === '.') continue
    const target = links.get([...at, name].join('/'))
    if (target === undefined) at.push(name)
    else todo.unshift(...target.split('/'))
  }
  return false
}

describe('folding', () => {
  test.each([
    ['README', 'readme'],
    ['\u00e9', 'e\u0301'],
    ['\u00c9', 'e\u0301'],
    ['\u212a', 'k'],
    ['\u017f', 's'],
    ['stra\u00dfe', 'STRASSE'],
  ])('%j and %j are one', (a, b) => {
    expect(foldPath(a)).toBe(foldPath(b))
  })

  test('different names stay different', () => {
    expect(foldPath('a')).not.toBe(foldPath('b'))
    expect(foldPath('é')).not.toBe(foldPath('e'))
  })
})

describe('order', () => {
  test('a directory stands right before what it contains, and names are compared as UTF-8 bytes', () => {
    const paths = ['a', 'a/b', 'a/b/c', 'a-b', 'a0', 'b', 'z', 'é', '\uffee', '😀']
    expect([...paths].reverse().sort((a, b) => (sortKeyOf(a) < sortKeyOf(b) ? -1 : 1))).toEqual(paths)
  })

  test.each([
    ['a', ''],
    ['a/b', 'a'],
    ['a/b/c', 'a/b'],
  ])('the parent of %j is %j', (path, parent) => {
    expect(parentOf(path)).toBe(parent)
  })
})
