import { DomainError } from '#platform/errors.ts'

/** A definition that is refused. `path` is where in the record; empty for the record as a whole. */
export class InvalidDefinitionError extends DomainError {
  override name = 'InvalidDefinitionError'
  readonly path: string
  readonly reason: string

  constructor(path: string, reason: string) {
    super('invalid', path === '' ? reason : `${path}: ${reason}`, 'InvalidDefinition')
    this.path = path
    this.reason = reason
  }
}
