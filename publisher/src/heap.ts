// V8's heap in a program whose work is done outside of it: in typed arrays, on threads, in zstd. Left alone it keeps tens of
// megabytes of garbage, because it collects when it runs out of room.
import { setFlagsFromString } from 'node:v8'

/**
 * Keeps the space for young objects as large as it is, in all of the process: for programs, not for rooms. V8 doubles it while
 * many of them live, as when an index is parsed, up to 64 MB that stay: publishing 20,000 files again takes 50 MiB less of 310
 * with this, and as much time.
 */
export const holdYoungSpace = (): void => setFlagsFromString('--semi-space-growth-factor=1')
