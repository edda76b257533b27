// Private keys in PEM: reading them, encrypted or not, and writing them plainly. All of it is node:crypto's, so that who only signs
// need not load what lays out encrypted ones (encrypted-pem.ts).
import { createPrivateKey, type KeyObject } from 'node:crypto'

export const plainPrivateKey = (key: KeyObject): string => key.export({ format: 'pem', type: 'pkcs8' }).toString()

export const isEncryptedPem = (pem: string): boolean =>
  pem.includes('-----BEGIN ENCRYPTED PRIVATE KEY-----') || pem.includes('Proc-Type: 4,ENCRYPTED')

/** Throws whatever OpenSSL throws; a wrong passphrase and a damaged file look alike to it. */
export const readPrivateKey = (pem: string, passphrase: string | undefined): KeyObject =>
  createPrivateKey(passphrase === undefined ? pem : { key: pem, passphrase })
