// Certificates for keys: our small authority, signing requests for another one, and revocation lists, each judged by OpenSSL; and
// how they get into the signed metadata.
import { spawnSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { chainFault } from '@updraft/core/trust/certificates'
import { chainOf, parseIdentity } from '@updraft/core/trust/identity'
import { publicKeyOf } from '@updraft/core/trust/keys'
import { openRepository } from '../../publisher/src/repository.ts'
import { describeWith, needsProgram } from '../support/needs.ts'
import { publisherJson, runPublisher } from './program.ts'
import { openWorkspace, type Workspace } from './workspace.ts'

let workspace: Workspace
let directory: string

beforeAll(async () => {
  workspace = await openWorkspace()
  directory = workspace.directory
  await publisherJson(directory, ['init', 'r', '--product', 'acme', '--no-passphrase'])
})
afterAll(async () => {
  await workspace[Symbol.asyncDispose]()
})

interface Made {
  readonly path: string
  readonly serial: string
  readonly keyId: string
}

const keys = <Result = Made>(...args: readonly string[]): Promise<Result> =>
  publisherJson(directory, ['keys', ...args, '--repo', 'r'])

const openssl = (...args: readonly string[]) => {
  const { status, stdout, stderr } = spawnSync('openssl', args, { cwd: directory, encoding: 'utf8' })
  return { status, said: `${stdout}${stderr}` }
}

const SUBJECT = 'CN=Acme Release Engineering,O=Acme\\, Inc.,C=DE'

describeWith([needsProgram('openssl')], 'our own authority', () => {
  test.each(['ed25519', 'ecdsa-p256', 'rsa-3072'])(
    'with a key of kind %s issues a chain that OpenSSL verifies',
    async (type) => {
      const [ca, key] = [`ca-${type}`, `key-${type}`]
      await keys('generate', key, '--type', type, '--no-passphrase')
      const authority = await keys(
        'certificate',
        'authority',
        ca,
        '--subject',
        'CN=Acme Code Signing',
        '--type',
        type,
        '--no-passphrase',
      )
      const issued = await keys('certificate', 'issue', key, '--authority', ca, '--subject', SUBJECT)
      const check = ['verify', '-x509_strict', '-purpose', 'any', '-CAfile', authority.path]
      expect(openssl(...check, issued.path)).toEqual({ status: 0, said: `${issued.path}: OK\n` })
      expect(
        openssl('x509', '-in', issued.path, '-noout', '-subject', '-ext', 'extendedKeyUsage,keyUsage').said,
      ).toMatch(
        /CN = Acme Release Engineering, O = "Acme, Inc.", C = DE[\s\S]*critical\s+Digital Signature[\s\S]*Code Signing/,
      )

      // Taken back: OpenSSL says so from the list, and of nothing else.
      await keys('certificate', 'revoke', '--authority', ca)
      const crl = authority.path.replace(/crt$/, 'crl')
      expect(openssl(...check, '-crl_check', '-CRLfile', crl, issued.path).status).toBe(0)
      await keys('certificate', 'revoke', issued.serial, '--authority', ca, '--reason', 'keyCompromise')
      expect(openssl(...check, '-crl_check', '-CRLfile', crl, issued.path)).toMatchObject({
        status: 2,
        said: expect.stringContaining('certificate revoked'),
      })
      expect(openssl('crl', '-in', crl, '-noout', '-text', '-CAfile', authority.path).said).toMatch(
        /CRL Number:\s+2[\s\S]*Key Compromise[\s\S]*verify OK/,
      )
    },
  )

  test('refuses to issue by what is no authority, to take back what it did not issue, and names that are none', async () => {
    const run = (...args: readonly string[]) => runPublisher(directory, ['keys', 'certificate', ...args, '--repo', 'r'])
    expect(await run('issue', 'acme', '--authority', 'targets', '--subject', SUBJECT)).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('targets is not an authority'),
    })
    expect(await run('revoke', 'ABCD', '--authority', 'ca-ed25519')).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('has issued no certificate ABCD'),
    })
    expect(await run('issue', 'acme', '--authority', 'ca-ed25519', '--subject', 'Acme')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('CN='),
    })
    expect(await run('issue', 'nobody', '--authority', 'ca-ed25519', '--subject', SUBJECT)).toMatchObject({ code: 5 })
  })
})

describeWith([needsProgram('openssl')], "a company's authority", () => {
  test('is asked with a request, and its chain is kept if it fits the key', async () => {
    openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:3072',
      '-nodes',
      '-keyout',
      'company.key',
      '-out',
      'company.crt',
      '-subj',
      '/CN=Company CA',
    )
    await keys('certificate', 'request', 'acme', '--subject', SUBJECT, '--out', 'acme.csr')
    expect(openssl('req', '-in', 'acme.csr', '-noout', '-verify').said).toContain('verify OK')
    openssl(
      'x509',
      '-req',
      '-in',
      'acme.csr',
      '-CA',
      'company.crt',
      '-CAkey',
      'company.key',
      '-CAcreateserial',
      '-out',
      'acme.crt',
      '-days',
      '30',
    )
    const chain =
      (await readFile(join(directory, 'company.crt'), 'utf8')) + (await readFile(join(directory, 'acme.crt'), 'utf8'))
    await writeFile(join(directory, 'chain.pem'), chain) // In the wrong order, as people paste it.
    const { path } = await keys('certificate', 'attach', 'acme', 'chain.pem')
    expect(openssl('verify', '-CAfile', 'company.crt', path).status).toBe(0)
    const other = await runPublisher(directory, [
      'keys',
      'certificate',
      'attach',
      'targets',
      'chain.pem',
      '--repo',
      'r',
    ])
    expect(other).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('no certificate for this key; it has Company CA, Acme Release Engineering'),
    })
  })
})

test('the identity of a product is signed by targets, and read with node:crypto alone', async () => {
  await keys('certificate', 'authority', 'acme-ca', '--subject', 'CN=Acme Code Signing', '--no-passphrase')
  const { path } = await keys('certificate', 'issue', 'acme', '--authority', 'acme-ca', '--subject', SUBJECT)
  const list = await keys('certificate', 'revoke', '--authority', 'acme-ca')
  await publisherJson(directory, [
    'identity',
    'acme',
    '--repo',
    'r',
    '--certificate',
    path,
    '--revocation-list',
    list.path,
  ])

  const { edition } = await openRepository(workspace.repository)
  const { delegations } = edition.targets.metadata.signed
  const role = delegations?.roles.find(({ name }) => name === 'acme')
  const identity = parseIdentity('acme', role?.identity)
  const [keyId = ''] = role?.keyids ?? []
  const key = delegations?.keys[keyId]
  if (identity === undefined || key === undefined) throw new Error('there is no identity')
  const chain = chainOf(identity, keyId)
  expect(chainFault(chain, publicKeyOf(key), new Date())).toBeUndefined()
  expect(chainFault(chain, publicKeyOf(key), new Date('2099-01-01'))).toMatch(/of Acme Release Engineering expired at/)
  expect(chainFault(chain.toReversed(), publicKeyOf(key), new Date())).toMatch(/is for another key/)
  expect(identity.revocationLists).toHaveLength(1)

  // A new key has no certificate yet, so the old one's goes with it.
  await publisherJson(directory, ['rotate', 'acme', '--repo', 'r', '--new', '--no-passphrase'])
  const after = (await openRepository(workspace.repository)).edition.targets.metadata.signed.delegations
  expect(after?.roles.find(({ name }) => name === 'acme')?.identity).toBeUndefined()
  const stale = await runPublisher(directory, ['identity', 'acme', '--repo', 'r', '--certificate', path])
  expect(stale).toMatchObject({ code: 5, stderr: expect.stringContaining('no certificate for a key of acme') })
})
