/**
 * Named places between two steps that must not come apart, at which a test lets the process die.
 * The test loads a module into the process beforehand (`node --import`) that calls `onCrashPoint`;
 * without one, nothing happens.
 */

/** The places, by name. */
export const crashPoints = [
  /** A group of writes is done, its transaction still open. */
  'group.beforeCommit',
  /** The group is committed and not yet on the disk. */
  'group.beforeSync',
  /** The group is on the disk; no caller has its result yet. */
  'group.beforeAnswers',
  /** A blob was received whole and lies among the unfinished ones. */
  'blob.beforeRename',
  /** A blob's file is in its place, without its row. */
  'blob.beforeRow',
  /** An identity is in the PLC directory, without its account. */
  'account.beforeRow',
  /** An identity has its new handle in the PLC directory, and not here. */
  'handle.beforeRow',
  /** The secret of the signing keys is written, and not in its place. */
  'secret.beforeRename',
  /** The feed generator's rows and its cursor are written, their transaction still open. */
  'index.beforeCommit',
  /** The feed generator's rows and its cursor are committed. */
  'index.afterCommit',
] as const

export type CrashPoint = (typeof crashPoints)[number]

let hook: ((name: CrashPoint) => void) | undefined

/** Marks a place. */
export function crashPoint(name: CrashPoint): void {
  hook?.(name)
}

/** Has `reached` called at each place from now on. For tests. */
export function onCrashPoint(reached: (name: CrashPoint) => void): void {
  hook = reached
}
