// Types of the part of yauzl that is used; it ships none.
declare module 'yauzl' {
  import type { Readable } from 'node:stream'

  interface Entry {
    readonly fileName: string
    readonly uncompressedSize: number
  }

  interface ZipFile {
    eachEntry(): AsyncIterable<Entry>
    openReadStreamPromise(entry: Entry): Promise<Readable>
    close(): void
  }

  // biome-ignore lint/style/noDefaultExport: it is how a CommonJS package is imported.
  export default {} as { readonly openPromise: (path: string) => Promise<ZipFile> }
}
