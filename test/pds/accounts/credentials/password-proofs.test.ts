/** Proofs of a password: whose they push out, and what ends them. */
import { expect, it } from 'vitest'
import { PasswordProofs } from '../../../../pds/accounts/credentials/password-proofs.ts'

const owner = { did: 'did:plc:owner' }
const other = { did: 'did:plc:other' }

it('pushes out an account’s own oldest proofs, and nobody else’s', () => {
  const proofs = new PasswordProofs()
  const kept = proofs.give(other, 'sign-in')
  const own = Array.from({ length: 12 }, () => proofs.give(owner, 'settings'))
  expect(own.map((name) => proofs.find(name, 'settings') !== undefined)).toEqual(own.map((_, n) => n >= 2))
  expect(proofs.find(kept, 'sign-in')).toBeDefined()
})

it('ends with the password that it is of', () => {
  const proofs = new PasswordProofs()
  const [own, kept] = [proofs.give(owner, 'sign-in'), proofs.give(other, 'sign-in')]
  proofs.endOfAccount(owner)
  expect(proofs.find(own, 'sign-in')).toBeUndefined()
  expect(proofs.find(kept, 'sign-in')).toBeDefined()
})
