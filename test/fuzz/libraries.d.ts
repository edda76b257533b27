// biome-ignore-all lint/style/noDefaultExport: these libraries export that way.
// The parts that are used of libraries that ship no types.
declare module 'istanbul-lib-instrument' {
  export interface FileCoverage {
    readonly path: string
    readonly s: Readonly<Record<string, number>>
    readonly f: Readonly<Record<string, number>>
    readonly b: Readonly<Record<string, readonly number[]>>
  }

  export interface Instrumenter {
    instrumentSync(code: string, path: string): string
    lastFileCoverage(): FileCoverage
  }

  export const createInstrumenter: (options: {
    readonly esModules: boolean
    readonly compact: boolean
    readonly coverageVariable: string
  }) => Instrumenter
}

type Extension = (wire: unknown) => void
declare module 'ut_metadata' {
  const extension: (metadata: Uint8Array) => Extension

  export { extension as default }
}
declare module 'ut_pex' {
  const extension: () => Extension

  export { extension as default }
}
declare module 'lt_donthave' {
  const extension: () => Extension

  export { extension as default }
}
