import Sqlite from 'better-sqlite3'

/** What a query finds in an index. */
export function rows<R = Record<string, unknown>>(file: string, query: string, ...values: unknown[]): R[] {
  const db = new Sqlite(file, { readonly: true })
  try {
    return db.prepare(query).all(...values) as R[]
  } finally {
    db.close()
  }
}
