/** What an answer says depends on who asks: no cache may give it to another. */
import type { Response } from 'express'

export function forbidCaching(response: Response): void {
  response.setHeader('Cache-Control', 'private')
  response.vary('Authorization')
}
