/** A definition that is refused. `path` is where in the record; empty for the record as a whole. */
export class InvalidDefinitionError extends Error {
  override name = 'InvalidDefinitionError'
  readonly path: string
  readonly reason: string

  constructor(path: string, reason: string) {
    super(path === '' ? reason : `${path}: ${reason}`)
    this.path = path
    this.reason = reason
  }
}
