/** Something about a valid definition that its creator should know. */
export interface Warning {
  /** Where in the definition. */
  readonly path: string
  readonly kind: WarningKind
  /** What about it, in words that follow the path. */
  readonly says: string
}

export type WarningKind =
  /** True of no post, or nothing is there. */
  | 'never'
  /** True of every post. */
  | 'always'
  /** Another way to say the same costs less. */
  | 'cheaper'
  /** The feed is the same without it. */
  | 'noEffect'
  /** Looked for in another form than it is written. */
  | 'readAs'
  /** What it names does not exist. */
  | 'missing'
  /** Whether what it names exists could not be found out. */
  | 'unknown'
