/** Metrics of the links of a replica, by peer. */
import type { Replica } from '@sojourn/replica'
import type { Instruments } from './instruments.js'

export const readLinks = (instruments: Instruments, replica: Replica): void => {
  const links = () => Object.entries(replica.status().links)
  const each = (name: string, help: string, read: (link: ReturnType<typeof links>[number][1]) => number | undefined) =>
    instruments.gauge(name, help, ['peer'], (gauge) => {
      // A region that was removed is reported no more.
      gauge.reset()
      for (const [peer, link] of links()) {
        const value = read(link)
        if (value !== undefined) gauge.set({ peer }, value)
      }
    })
  each('sojourn_link_up', '1 if the peer is linked, else 0', ({ state }) => (state === 'down' ? 0 : 1))
  each('sojourn_link_live', '1 if the link is in step, else 0', ({ state }) => (state === 'live' ? 1 : 0))
  each(
    'sojourn_link_lag_seconds',
    'Age of the oldest commit that a peer has not acknowledged',
    ({ lag }) => lag / 1_000,
  )
  each('sojourn_link_unacked_commits', 'Commits that a peer has not acknowledged', ({ unacked }) => unacked)
  each('sojourn_link_to_receive_commits', 'Commits of a peer that have not arrived here', ({ toReceive }) => toReceive)
  each('sojourn_link_rtt_seconds', 'Round-trip time of a link, in seconds', ({ rtt }) =>
    rtt === undefined ? undefined : rtt / 1_000,
  )
  each('sojourn_link_clock_skew_seconds', 'Seconds that the clock of a peer is ahead', ({ skew }) => skew / 1_000)
  each('sojourn_link_buffered_bytes', 'Bytes that wait for the socket of a link', ({ bufferedBytes }) => bufferedBytes)
  instruments.total(
    'sojourn_link_bytes_total',
    'Bytes of link frames, by peer and direction',
    ['peer', 'direction'],
    (set) => {
      for (const [peer, { bytes }] of links()) {
        set({ peer, direction: 'sent' }, bytes.sent)
        set({ peer, direction: 'received' }, bytes.received)
      }
    },
  )
}

export const readLinkFailures = (instruments: Instruments, replica: Replica): void => {
  instruments.total(
    'sojourn_link_failures_total',
    'Links that failed or were lost, by peer and reason',
    ['peer', 'reason'],
    (set) => {
      for (const [peer, { failures }] of Object.entries(replica.status().links))
        for (const [reason, count] of Object.entries(failures)) set({ peer, reason }, count)
    },
  )
}
