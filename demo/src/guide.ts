import type { DemoSettings } from './settings.js'

/** What to try, with the ports that the demo has. The transcripts of README.md and docs/getting-started.md have the same lines. */
export const guide = ({ regions }: DemoSettings): string => {
  const [eu, us, ap] = regions.map(({ appPort }) => `localhost:${appPort}`) as [string, string, string]
  return `
  eu  http://${eu}
  us  http://${us}
  ap  http://${ap}

Log in at eu; add to the cart at us and at ap at the same time; read it at eu:

  curl -c jar -X POST '${eu}/login?user=ada'
  (curl -b jar -X POST '${us}/cart/tea?qty=2' & curl -b jar -X POST '${ap}/cart/honey?qty=1' & wait)
  curl -b jar ${eu}

Cut ap off, go on in both halves, heal, and see them agree:

  curl -X POST ${ap}/admin/cut
  curl -b jar -X POST '${eu}/cart/milk?qty=1'
  curl -b jar -X POST '${ap}/cart/bread?qty=3'
  curl -b jar ${eu}
  curl -b jar ${ap}
  curl -X POST ${ap}/admin/heal
  curl -b jar ${us}

Log out at us; it is gone everywhere:

  curl -b jar -X POST ${us}/logout
  curl -b jar ${ap}

Log in on two devices, and list them at ap; log in anew, and the cookie from before is dead:

  curl -c laptop -X POST '${eu}/account/login?user=ada&device=Laptop'
  curl -c phone -X POST '${us}/account/login?user=ada&device=Phone'
  curl -b laptop -c laptop ${ap}/account
  cp laptop copy && curl -b laptop -c laptop -X POST '${eu}/account/login?user=ada&device=Laptop'
  curl -b copy ${us}/account

Cut ap off, change the password at eu, heal, and see the phone refused everywhere:

  curl -X POST ${ap}/admin/cut
  curl -b laptop -c laptop -X POST ${eu}/account/password
  curl -b phone ${us}/account
  curl -b phone ${ap}/account
  curl -X POST ${ap}/admin/heal
  curl -b phone ${ap}/account

Ctrl-C stops all three. Sessions are kept; start again and they are there.
`
}
