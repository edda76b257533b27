// Many paths on their way to a worker thread: as one string, because copying one is a hundred times faster than copying the
// parts. No path of a release contains a line feed.

export const joinPaths = (paths: readonly string[]): string => paths.join('\n')

export const splitPaths = (joined: string): string[] => joined.split('\n')
