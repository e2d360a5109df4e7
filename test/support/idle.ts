/** Connections that are opened and say nothing, or one thing. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface Idle {
  /** Those that the other side has not ended yet. */
  readonly open: number
  end(): void
}

interface IdleOptions {
  readonly port: number
  readonly count: number
  /** What each says first. */
  readonly says?: string
  /** Where they come from; all of 127.0.0.0/8 is this machine. */
  readonly from?: string
}

const said = async (socket: Socket, says: string): Promise<void> => {
  if (says === '') return
  if (!says.endsWith('\r\n\r\n')) {
    await new Promise<void>((resolve) => socket.write(says, () => resolve()))
    return
  }
  // What is said is answered before the next one comes.
  const heard = Promise.race([once(socket, 'data'), once(socket, 'close')])
  socket.write(says)
  await heard
}

/** Opens connections, one after another. */
export const openIdle = async ({ port, count, says = '', from = '127.0.0.1' }: IdleOptions): Promise<Idle> => {
  const sockets: Socket[] = []
  for (let n = 0; n < count; n++) {
    const socket = connect({ port, host: '127.0.0.1', localAddress: from })
    socket.on('error', () => {})
    socket.resume()
    await once(socket, 'connect')
    await said(socket, says)
    sockets.push(socket)
  }
  return {
    get open() {
      return sockets.filter(({ destroyed, readableEnded }) => !destroyed && !readableEnded).length
    },
    end: () => {
      for (const socket of sockets) socket.destroy()
    },
  }
}
