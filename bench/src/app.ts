/** An Express app behind express-session, as people have it: a login, a page that reads the session, and one that changes it. */
import express, { type Express, type Request, type Response } from 'express'
import session, { type Store } from 'express-session'
import { IDLE_TIMEOUT_MS, lastPath, type SessionData, sessionData } from './session-data.js'

type Held = { -readonly [K in keyof SessionData]?: SessionData[K] }

const heldBy = (request: Request): Held => request.session as unknown as Held

/** Whoever is not logged in is refused: a session that was lost shows as an error, and not as a fast answer. */
const answer = (request: Request, response: Response): void => {
  const { user } = heldBy(request)
  if (user === undefined) response.sendStatus(401)
  else response.send(user)
}

export const makeApp = (store: Store): Express => {
  const app = express()
  let number = 0
  app.use(
    session({
      secret: 'a secret of the bench, known to all',
      store,
      resave: false,
      saveUninitialized: false,
      cookie: { maxAge: IDLE_TIMEOUT_MS },
    }),
  )
  app.post('/login/:number', (request, response) => {
    Object.assign(request.session, sessionData(Number(request.params.number)))
    answer(request, response)
  })
  app.get('/read', answer)
  app.post('/write', (request, response) => {
    const held = heldBy(request)
    // Another value than before, whatever it was: what changes nothing is not saved.
    const next = lastPath(number++)
    if (held.user !== undefined) held.lastPath = next === held.lastPath ? lastPath(number++) : next
    answer(request, response)
  })
  app.get('/session', (request, response) => {
    const { cookie: _, ...held } = request.session
    response.json(held)
  })
  return app
}
