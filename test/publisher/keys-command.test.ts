// `keys` through the real program: making, taking in, giving out and listing keys, with OpenSSL on the other side; and what is
// refused of files that are not what they should be.
import { spawnSync } from 'node:child_process'
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { pemOf } from '../../publisher/src/keys/asn1.ts'
import { parseDistinguishedName } from '../../publisher/src/keys/distinguished-name.ts'
import { plainPrivateKey } from '../../publisher/src/keys/pem.ts'
import { generatePrivateKey, signerOf } from '../../publisher/src/keys/private-key.ts'
import { makeCertificate } from '../../publisher/src/keys/x509.ts'
import { describeWith, needsProgram } from '../support/needs.ts'
import { publisherJson, runPublisher } from './program.ts'
import { openWorkspace, type Workspace } from './workspace.ts'

let workspace: Workspace
let directory: string

beforeAll(async () => {
  workspace = await openWorkspace()
  directory = workspace.directory
})
afterAll(async () => {
  await workspace[Symbol.asyncDispose]()
})

const PASS = { UPDRAFT_PASSPHRASE: 'a phrase' }

interface Key {
  readonly keyId: string
  readonly kind: string
  readonly path: string
}

const generate = (folder: string, name: string, ...more: readonly string[]): Promise<Key> =>
  publisherJson(directory, ['keys', 'generate', name, '--keys', folder, ...more], PASS)

interface Listed {
  readonly keys: readonly {
    readonly name: string
    readonly keyId: string
    readonly kind: string
    readonly held: string
    readonly exposed: boolean
    readonly roles: readonly string[]
    readonly certificate?: { readonly name: string; readonly expires: string }
  }[]
  readonly absent: readonly unknown[]
}

const list = (folder: string): Promise<Listed> => publisherJson(directory, ['keys', 'list', '--keys', folder])

const openssl = (...args: readonly string[]): string => {
  const { status, stdout, stderr } = spawnSync('openssl', args, { cwd: directory, encoding: 'utf8' })
  if (status !== 0) throw new Error(`openssl ${args.join(' ')}: ${stderr}`)
  return stdout
}

describe('generating', () => {
  test.concurrent.each([
    ['ed25519', 'Ed25519'],
    ['ecdsa-p256', 'ECDSA P-256'],
    ['rsa-3072', 'RSA 3072'],
  ])('%s makes an encrypted key, and its public half beside it', async (type, kind) => {
    const folder = `generated-${type}`
    const { keyId, path } = await generate(folder, 'alice', '--type', type)
    expect(await readFile(path, 'utf8')).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect((await list(folder)).keys).toEqual([
      { name: 'alice', keyId, kind, held: 'encrypted', exposed: false, roles: [] },
    ])
  })

  test('refuses a kind that is none, a name that is none, and to do without a passphrase unasked', async () => {
    const run = (...args: readonly string[]) => runPublisher(directory, ['keys', 'generate', ...args, '--keys', 'none'])
    const outcomes = await Promise.all([
      run('alice', '--type', 'dsa'),
      run('../alice', '--no-passphrase'),
      run('alice'),
      runPublisher(directory, ['keys', 'generate', 'alice', '--no-passphrase']),
    ])
    expect(outcomes.map(({ code }) => code)).toEqual([2, 2, 5, 2])
    expect(outcomes[3]?.stderr).toMatch(/not clear which keys[\s\S]*--keys or UPDRAFT_KEYS/)
    await expect(readdir(join(directory, 'none'))).rejects.toMatchObject({ code: 'ENOENT' })
  })
})

describe('exporting and importing', () => {
  test.concurrent.each([
    ['pem', 'ed25519'],
    ['pkcs12', 'rsa-3072'],
    ['pkcs12', 'ecdsa-p256'],
  ])('as %s takes a key of kind %s from one folder to another', async (format, type) => {
    const [from, to] = [`from-${format}-${type}`, `to-${format}-${type}`]
    const { keyId } = await generate(from, 'acme', '--type', type)
    const file = `${from}.out`
    const environment = { ...PASS, UPDRAFT_EXPORT_PASSPHRASE: 'on the way', UPDRAFT_IMPORT_PASSPHRASE: 'on the way' }
    await publisherJson(
      directory,
      ['keys', 'export', 'acme', '--keys', from, '--format', format, '--out', file],
      environment,
    )
    expect((await stat(join(directory, file))).mode & 0o777).toBe(0o600)
    const imported = await publisherJson<Key>(
      directory,
      ['keys', 'import', file, '--name', 'acme', '--keys', to],
      environment,
    )
    expect(imported.keyId).toBe(keyId)
    const wrong = { ...environment, UPDRAFT_IMPORT_PASSPHRASE: 'a wrong guess' }
    const refused = await runPublisher(directory, ['keys', 'import', file, '--name', 'acme', '--keys', 'never'], wrong)
    expect(refused).toMatchObject({ code: 5, stderr: expect.stringContaining(`does not open ${file}`) })
    expect(refused.stderr).not.toContain('a wrong guess')
  })

  test('gives others the public half only', async () => {
    await generate('giving', 'alice')
    await publisherJson(directory, ['keys', 'export', 'alice', '--keys', 'giving', '--out', 'alice.pub'])
    expect(await readFile(join(directory, 'alice.pub'), 'utf8')).toMatch(/^-----BEGIN PUBLIC KEY-----\n/)
    expect((await runPublisher(directory, ['keys', 'export', 'bob', '--keys', 'giving', '--out', 'b'])).code).toBe(5)
  })
})

/** OpenSSL issues nothing that ended yesterday. */
const makeExpired = async (keyFile: string, certificateFile: string): Promise<void> => {
  const privateKey = await generatePrivateKey('ed25519')
  const signer = signerOf(privateKey)
  const day = (offset: number) => new Date(Date.now() + offset * 86_400_000)
  const content = {
    subject: parseDistinguishedName('CN=Old'),
    key: signer,
    from: day(-9),
    to: day(-1),
    authority: false,
  }
  await writeFile(join(directory, keyFile), plainPrivateKey(privateKey))
  await writeFile(
    join(directory, certificateFile),
    pemOf('CERTIFICATE', await makeCertificate(content, signer, undefined)),
  )
}

describeWith([needsProgram('openssl')], 'with OpenSSL', () => {
  test('its keys and PKCS#12 files, with certificates, are read; ours are read by it', async () => {
    openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:3072',
      '-nodes',
      '-keyout',
      'ca.key',
      '-out',
      'ca.crt',
      '-subj',
      '/CN=Their CA',
    )
    openssl(
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      'their.key',
      '-out',
      'their.csr',
      '-subj',
      '/CN=Acme Release Engineering',
    )
    openssl(
      'x509',
      '-req',
      '-in',
      'their.csr',
      '-CA',
      'ca.crt',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-out',
      'their.crt',
      '-days',
      '30',
    )
    openssl(
      'pkcs12',
      '-export',
      '-inkey',
      'their.key',
      '-in',
      'their.crt',
      '-certfile',
      'ca.crt',
      '-name',
      'release',
      '-out',
      'their.p12',
      '-passout',
      'pass:p12',
    )
    const environment = { ...PASS, UPDRAFT_IMPORT_PASSPHRASE: 'p12', UPDRAFT_EXPORT_PASSPHRASE: 'ours' }
    await publisherJson(directory, ['keys', 'import', 'their.p12', '--name', 'acme', '--keys', 'theirs'], environment)
    expect((await list('theirs')).keys).toMatchObject([
      { name: 'acme', kind: 'ECDSA P-256', held: 'encrypted', certificate: { name: 'Acme Release Engineering' } },
    ])
    await publisherJson(
      directory,
      ['keys', 'export', 'acme', '--keys', 'theirs', '--format', 'pkcs12', '--out', 'ours.p12'],
      environment,
    )
    const read = openssl('pkcs12', '-in', 'ours.p12', '-passin', 'pass:ours', '-nodes')
    expect(read).toContain('friendlyName: acme')
    expect(read.match(/BEGIN CERTIFICATE/g)).toHaveLength(2)
    await writeFile(join(directory, 'read.pem'), read)
    expect(openssl('pkey', '-in', 'read.pem', '-pubout')).toBe(openssl('pkey', '-in', 'their.key', '-pubout'))
  })

  test('a file with several keys is refused until one is picked', async () => {
    openssl('genpkey', '-algorithm', 'ed25519', '-out', 'one.key')
    openssl('genpkey', '-algorithm', 'ed25519', '-out', 'two.key')
    const files = ['one.key', 'two.key'].map((file) => readFile(join(directory, file), 'utf8'))
    await writeFile(join(directory, 'both.pem'), (await Promise.all(files)).join(''))
    const args = ['keys', 'import', 'both.pem', '--name', 'acme', '--keys', 'picked', '--no-passphrase']
    const refused = await runPublisher(directory, args)
    expect(refused).toMatchObject({
      code: 5,
      stderr: expect.stringMatching(/has 2 private keys: ([0-9a-f]{8}).*\n {2}hint: .*--pick/),
    })
    await expect(stat(join(directory, 'picked'))).rejects.toMatchObject({ code: 'ENOENT' })
    const [, id = ''] = /keys: ([0-9a-f]{8})/.exec(refused.stderr) ?? []
    expect((await publisherJson<Key>(directory, [...args, '--pick', id])).keyId.startsWith(id)).toBe(true)
    expect((await runPublisher(directory, [...args, '--pick', 'nobody'])).stderr).toMatch(/"nobody" names 0 of the 2/)
  })

  test('PKCS#12 with several keys is refused until one is picked by its name', async () => {
    // OpenSSL writes one key a file; two such files put together by hand are what other tools write.
    const { makeTwoKeyPkcs12 } = await import('./two-key-pkcs12.ts')
    await writeFile(join(directory, 'two.p12'), await makeTwoKeyPkcs12('p12'))
    const args = ['keys', 'import', 'two.p12', '--name', 'acme', '--keys', 'picked12', '--no-passphrase']
    const environment = { UPDRAFT_IMPORT_PASSPHRASE: 'p12' }
    const refused = await runPublisher(directory, args, environment)
    expect(refused).toMatchObject({ code: 5, stderr: expect.stringMatching(/2 private keys: .*"first".*"second"/) })
    expect((await publisherJson<Key>(directory, [...args, '--pick', 'second'], environment)).kind).toBe('RSA 3072')
  })

  test.each([
    ['an RSA key of 2048 bits', ['genpkey', '-algorithm', 'rsa', '-pkeyopt', 'rsa_keygen_bits:2048'], /2048 bits/],
    ['another curve', ['genpkey', '-algorithm', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384'], /secp384r1/],
    ['another kind', ['genpkey', '-algorithm', 'x25519'], /x25519 cannot sign/],
  ])('refuses %s', async (_, args, says) => {
    openssl(...args, '-out', 'weak.key')
    const refused = await runPublisher(directory, [
      'keys',
      'import',
      'weak.key',
      '--name',
      'w',
      '--keys',
      'weak',
      '--no-passphrase',
    ])
    expect(refused).toMatchObject({ code: 5, stderr: expect.stringMatching(says) })
    await expect(stat(join(directory, 'weak'))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('refuses a certificate that has expired, one for another key, and files that are none', async () => {
    await makeExpired('old.key', 'old.crt')
    openssl(
      'req',
      '-x509',
      '-newkey',
      'ed25519',
      '-nodes',
      '-keyout',
      'other.key',
      '-out',
      'other.crt',
      '-subj',
      '/CN=Other',
    )
    const read = (file: string) => readFile(join(directory, file), 'utf8')
    await writeFile(join(directory, 'expired.pem'), (await read('old.key')) + (await read('old.crt')))
    await writeFile(join(directory, 'mismatched.pem'), (await read('old.key')) + (await read('other.crt')))
    await writeFile(join(directory, 'nothing.p12'), Buffer.from([0x30, 0x03, 1, 2, 3]))
    await writeFile(join(directory, 'text.pem'), 'no key at all')
    const attempt = (file: string, ...more: readonly string[]) =>
      runPublisher(directory, ['keys', 'import', file, '--name', 'old', '--keys', 'bad', '--no-passphrase', ...more], {
        UPDRAFT_IMPORT_PASSPHRASE: '',
      })
    expect(await attempt('expired.pem')).toMatchObject({
      code: 5,
      stderr: expect.stringMatching(/of Old expired at .*\n {2}hint: .*clock says/),
    })
    expect(await attempt('mismatched.pem')).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('no certificate for this key; it has Other'),
    })
    expect(await attempt('nothing.p12')).toMatchObject({ code: 5, stderr: expect.stringContaining('PKCS#12') })
    expect(await attempt('text.pem')).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('neither PEM nor PKCS#12'),
    })
    expect(await attempt('absent.pem')).toMatchObject({ code: 8 })
    await expect(stat(join(directory, 'bad'))).rejects.toMatchObject({ code: 'ENOENT' })
    expect((await attempt('expired.pem', '--no-certificate')).code).toBe(0)
    await rm(join(directory, 'bad'), { recursive: true })
  })
})

test('listing says which roles a key signs for, what is not here, and what others can read', async () => {
  const env = { UPDRAFT_PASSPHRASE: 'x' }
  await publisherJson(directory, ['init', 'listed', '--product', 'acme', '--no-passphrase'])
  const all = await publisherJson<Listed>(directory, ['keys', 'list', '--repo', 'listed'], env)
  expect(all.keys.flatMap(({ roles }) => roles).sort()).toEqual(['acme', 'root', 'snapshot', 'targets', 'timestamp'])
  expect(all.absent).toEqual([])
  const root = all.keys.find(({ name }) => name === 'root')
  for (const kind of ['pem', 'pub']) await rm(join(directory, 'listed.keys', `root-${root?.keyId.slice(0, 8)}.${kind}`))
  const { stdout } = await runPublisher(directory, ['keys', 'list', '--repo', 'listed'])
  expect(stdout).toMatch(new RegExp(`${root?.keyId.slice(0, 8)} {2}not here; signs root`))
  expect(stdout).toMatch(/NOT encrypted; signs acme/)
})
