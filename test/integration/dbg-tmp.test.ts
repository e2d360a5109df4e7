import { expect, test } from 'vitest'
import { openRegions } from '../support/region.js'
import { until } from '../support/until.js'
test('x', async () => {
  await using regions = await openRegions(['a', 'b', 'c'])
  const { id } = await regions.a.create({ n: 0 })
  await regions.settled()
  const names: Record<string,string> = {}
  for (const r of regions.all) names[r.status().replica] = r.region
  let run = true
  const works = regions.all.map(async (r) => { const { id } = await r.create({ n: 0 }); while (run) { await r.increment(id, '/n'); await new Promise((x) => setImmediate(x)) } })
  const t: string[] = []
  const ev: string[] = []
  for (const r of regions.all) r.on('link', (e) => ev.push(r.region + ' ' + JSON.stringify(e)))
  await until(() => regions.all.every((r) => r.status().head > Number(process.env.H ?? 100)), 'l')
  await regions.cut('a', 'c')
  const hs = regions.all.map((r) => r.status().head)
  await until(() => regions.all.every((r, i) => r.status().head > hs[i]! + 100), 'l')
  run = false
  await Promise.all(works)
  for (const r of regions.all) for (let i=0;i<3;i++) await r.increment(id, '/n')
  const show = () => regions.all.map((r) => { const s = r.status(); return [r.region, s.head, Object.fromEntries(Object.entries(s.vector).map(([k,v])=>[names[k],v])), Object.entries(s.links).map(([k,l])=>k+':'+l.state+':'+l.behind).join(' ')] })
  try { await until(() => regions.all.every((one) => regions.all.every((other) => one === other || (one.status().vector[other.status().replica] ?? 0) >= other.status().head)), 'x') } catch { console.info(JSON.stringify(show()), ev.slice(-20), regions.faults) ; throw 1}
}, 30000)
