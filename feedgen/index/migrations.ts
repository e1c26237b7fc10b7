/**
 * The steps that make the tables. Published steps never change.
 *
 * Nearly all of the index is derived from the network, and a step may drop such tables instead of
 * converting them: with their cursors gone, the endpoints are read again from the oldest event that
 * they keep. What viewers told us (`seen`, `interactions`) is nowhere else, so steps convert it.
 */
import { type ColumnDefinitionBuilder, type CreateTableBuilder, type Kysely, sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import type { StoreKind } from './rows.ts'
import { type Schema, unknownVersion } from './schema.ts'

/**
 * Its tables, of texts, had no bytes of records from which the next step's could have been made:
 * that one drops them.
 */
const first: Migration = { async up() {} }

const firstTables = 'posts likes follows reposts engagement generators actors repos cursors'.split(' ')

type Make = CreateTableBuilder<string, string>

const second = (kind: StoreKind): Migration => ({
  async up(db: Kysely<unknown>) {
    for (const name of firstTables) await db.schema.dropTable(name).ifExists().execute()

    /** Compared byte by byte everywhere: record keys and revisions are in the order of time. */
    const text = kind === 'sqlite' ? sql`text` : sql`text collate "C"`
    const required = (column: ColumnDefinitionBuilder) => column.notNull()
    const zero = (column: ColumnDefinitionBuilder) => column.notNull().defaultTo(0)
    const numbers = (make: Make, names: string, define = required) =>
      names.split(' ').reduce((table, name) => table.addColumn(name, 'bigint', define), make)
    const table = (name: string): Make => db.schema.createTable(name) as Make
    const numbered = (name: string): Make =>
      kind === 'sqlite'
        ? table(name).addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
        : table(name).addColumn('id', 'bigint', (column) =>
            column.generatedByDefaultAsIdentity().primaryKey(),
          )
    /** A table that is stored in the order of its key. */
    const keyed = (make: Make, name: string, key: string) => {
      const made = make.addPrimaryKeyConstraint(`${name}_key`, key.split(' ') as never)
      return (kind === 'sqlite' ? made.modifyEnd(sql`without rowid`) : made).execute()
    }
    const unique = (make: Make, name: string, key: string) =>
      make.addUniqueConstraint(`${name}_key`, key.split(' ') as never).execute()
    const index = (name: string, on: string, columns: string, where?: string) => {
      const made = db.schema.createIndex(name).on(on).columns(columns.split(' '))
      return (where ? made.where(sql.raw(where) as never) : made).execute()
    }
    const record = (make: Make) => numbers(make, 'author').addColumn('rkey', text, required)

    await unique(
      numbers(
        numbered('accounts')
          .addColumn('did', text, required)
          .addColumn('active', 'bigint', (column) => column.notNull().defaultTo(1))
          .addColumn('status', text)
          .addColumn('rev', text)
          .addColumn('data', text),
        'jumped',
        zero,
      ),
      'accounts',
      'did',
    )
    await index('accounts_jumped', 'accounts', 'id', 'jumped = 1')
    await keyed(numbers(table('profiles'), 'account no_unauthenticated looked_at'), 'profiles', 'account')

    const posts = numbers(record(numbered('posts')), 'present sort_at', zero)
      .addColumn('seen_at', 'bigint', required)
      .addColumn('reply_root', 'bigint')
      .addColumn('reply_parent', 'bigint')
      .addColumn('quote', 'bigint')
    await unique(numbers(posts, 'likes reposts replies quotes tier unsure', zero), 'posts', 'author rkey')
    await index('posts_newest', 'posts', 'sort_at id', 'present = 1')
    await index('posts_by_tier', 'posts', 'tier sort_at id', 'present = 1')
    await index('posts_by_author', 'posts', 'author sort_at id', 'present = 1')
    await index('posts_by_parent', 'posts', 'reply_parent', 'reply_parent is not null')
    await index('posts_by_quote', 'posts', 'quote', 'quote is not null')
    const bytes = kind === 'sqlite' ? ('blob' as const) : ('bytea' as const)
    await numbers(table('records'), 'post', (column) => column.notNull().primaryKey())
      .addColumn('record', bytes, required)
      .execute()

    for (const name of ['likes', 'follows', 'blocks']) {
      await keyed(numbers(record(table(name)), 'subject'), name, 'author rkey')
      await index(`${name}_by_subject`, name, 'subject author')
    }
    const reposts = numbers(numbers(record(numbered('reposts')), 'subject sort_at'), 'unsure', zero)
    await unique(reposts, 'reposts', 'author rkey')
    await index('reposts_by_subject', 'reposts', 'subject author')
    await index('reposts_by_author', 'reposts', 'author sort_at id')

    const lists = numbers(record(numbered('lists')), 'present', zero)
    await unique(lists.addColumn('purpose', text).addColumn('name', text), 'lists', 'author rkey')
    await keyed(numbers(record(table('list_items')), 'list subject'), 'list_items', 'author rkey')
    await index('list_items_by_list', 'list_items', 'list subject')
    for (const name of ['starter_packs', 'list_blocks'])
      await keyed(numbers(record(table(name)), 'list'), name, 'author rkey')

    const labels = numbers(table('labels').addColumn('val', text, required), 'src account post neg made_at')
    await keyed(labels.addColumn('expires_at', 'bigint'), 'labels', 'account post src val')
    await index('labels_by_value', 'labels', 'src val made_at')

    await keyed(record(table('generators')), 'generators', 'author rkey')
    const definitions = numbers(
      record(numbered('definitions')).addColumn('record', bytes),
      'version',
    ).addColumn('filled_version', 'bigint')
    await unique(definitions, 'definitions', 'author rkey')
    await keyed(numbers(table('matches'), 'definition post tier sort_at'), 'matches', 'post definition')
    await index('matches_by_tier', 'matches', 'definition tier sort_at post')

    await keyed(
      numbers(table('viewers'), 'account asked_at').addColumn('fetched_at', 'bigint'),
      'viewers',
      'account',
    )
    await keyed(numbers(table('seen'), 'viewer post seen_at'), 'seen', 'viewer post')
    await index('seen_oldest', 'seen', 'seen_at')
    const interactions = numbers(numbered('interactions'), 'viewer post at')
      .addColumn('event', text, required)
      .addColumn('feed', text)
      .addColumn('feed_context', text)
      .addColumn('req_id', text)
    await interactions.execute()
    await index('interactions_by_viewer', 'interactions', 'viewer id')

    await keyed(numbers(table('cursors').addColumn('endpoint', text, required), 'seq'), 'cursors', 'endpoint')
    const leases = table('leases').addColumn('name', text, required).addColumn('holder', text, required)
    await keyed(numbers(leases, 'expires_at'), 'leases', 'name')
  },
})

/** So that the oldest interactions are found without looking at all of them. */
const third: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.createIndex('interactions_oldest').on('interactions').column('at').execute()
  },
}

/**
 * The definitions that are there were published before definitions had bounds, and stay in service
 * as they are.
 */
const fourth: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.alterTable('definitions').addColumn('allowed_version', 'bigint').execute()
    await sql`update definitions set allowed_version = version`.execute(db)
  },
}

/**
 * Posts were matched by other rules for words, tags, languages and hosts: the past is matched
 * again.
 */
const fifth: Migration = {
  async up(db: Kysely<unknown>) {
    await sql`update definitions set filled_version = null`.execute(db)
  },
}

/** So that what is in service stays there while an update of it is refused. */
const sixth = (kind: StoreKind): Migration => ({
  async up(db: Kysely<unknown>) {
    await db.schema.alterTable('definitions').addColumn('served_version', 'bigint').execute()
    await db.schema
      .alterTable('definitions')
      .addColumn('served_record', kind === 'sqlite' ? 'blob' : 'bytea')
      .execute()
  },
})

/** What viewers wish of authors is known for longer than the posts that they said it of. */
const seventh: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.alterTable('interactions').addColumn('author', 'bigint').execute()
    await sql`update interactions set author = (select author from posts where posts.id = interactions.post)`.execute(
      db,
    )
  },
}

/** What an AppView says of authors. */
const eighth: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('account_facts')
      .addColumn('account', 'bigint', (column) => column.notNull().primaryKey())
      .addColumn('created_at', 'bigint')
      .addColumn('followers', 'bigint')
      .addColumn('read_at', 'bigint', (column) => column.notNull())
      .execute()
    await db.schema.createIndex('account_facts_oldest').on('account_facts').column('read_at').execute()
  },
}

/** Labels are kept by the version that they mean. Those that are there did not keep it. */
const ninth = (kind: StoreKind): Migration => ({
  async up(db: Kysely<unknown>) {
    const version = sql.lit(unknownVersion)
    const key = sql`primary key (account, post, src, val, cid)`
    if (kind === 'postgres') {
      await sql`alter table labels add column cid text collate "C" not null default ${version}`.execute(db)
      await sql`alter table labels alter column cid drop default`.execute(db)
      await sql`alter table labels drop constraint labels_key, add constraint labels_key ${key}`.execute(db)
      return
    }
    await db.schema.dropIndex('labels_by_value').execute()
    await db.schema.alterTable('labels').renameTo('labels_before').execute()
    await sql`create table labels (
      val text not null, src bigint not null, account bigint not null, post bigint not null,
      neg bigint not null, made_at bigint not null, expires_at bigint, cid text not null,
      constraint labels_key ${key}) without rowid`.execute(db)
    await sql`insert into labels
      select val, src, account, post, neg, made_at, expires_at, ${version} from labels_before`.execute(db)
    await db.schema.dropTable('labels_before').execute()
    await db.schema.createIndex('labels_by_value').on('labels').columns(['src', 'val', 'made_at']).execute()
  },
})

/** Whether accounts follow viewers is looked up in their repositories. */
const tenth: Migration = {
  async up(db: Kysely<unknown>) {
    for (const column of ['mutuals_asked_at', 'mutuals_read_at'])
      await db.schema.alterTable('viewers').addColumn(column, 'bigint').execute()
    await db.schema
      .createTable('follow_reads')
      .addColumn('account', 'bigint', (column) => column.notNull().primaryKey())
      .addColumn('tried_at', 'bigint', (column) => column.notNull())
      .addColumn('read_at', 'bigint')
      .execute()
  },
}

/**
 * That a list's record is here says nothing of its items: those that viewers block are fetched once
 * more.
 */
const eleventh: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.alterTable('lists').addColumn('items_read_at', 'bigint').execute()
  },
}

/** What concerns all that an account posted is done in steps. */
const twelfth: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.alterTable('accounts').addColumn('sweep', 'text').execute()
    await db.schema
      .createIndex('accounts_sweep')
      .on('accounts')
      .column('id')
      .where(sql.raw('sweep is not null') as never)
      .execute()
  },
}

/** Brings the tables up to date. */
export async function migrate(db: Kysely<Schema>, kind: StoreKind): Promise<void> {
  const steps = {
    '001': first,
    '002': second(kind),
    '003': third,
    '004': fourth,
    '005': fifth,
    '006': sixth(kind),
    '007': seventh,
    '008': eighth,
    '009': ninth(kind),
    '010': tenth,
    '011': eleventh,
    '012': twelfth,
  }
  const migrator = new Migrator({ db, provider: { getMigrations: async () => steps } })
  const { error } = await migrator.migrateToLatest()
  if (error) throw new Error('the tables of the index cannot be brought up to date', { cause: error })
}
