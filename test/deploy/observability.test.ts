import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { has, output } from '../support/program.js'
import { openServers, type Servers, TOKENS } from '../support/servers.js'
import { ROOT, readSource } from '../support/sources.js'
import { until } from '../support/until.js'

const without = 'what Prometheus would be given was not given to it'
const isThere = (await has('promtool', ['--version'], without)) && (await has('prometheus', ['--version'], without))

const FOLDER = 'deploy/observability'

interface Panel {
  readonly title: string
  readonly targets?: readonly { readonly expr: string }[]
}
const dashboard = JSON.parse(readSource(`${FOLDER}/grafana/dashboards/sojourn.json`).text)
const shown = (dashboard.panels as Panel[]).flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }) => [title, expr] as const),
)
const alerts = (
  parse(readSource(`${FOLDER}/alerts.yml`).text).groups[0].rules as { alert: string; expr: string }[]
).map(({ alert, expr }) => [alert, expr] as const)

let servers: Servers<'eu' | 'us'>
beforeAll(async () => {
  servers = await openServers(['eu', 'us'])
})
afterAll(() => servers[Symbol.asyncDispose]())

/** What /metrics reports: the names of its metrics, those of histograms with their endings. */
const exposed = async (): Promise<Set<string>> => {
  const text = await (await servers.get('eu').ask('/metrics', { token: TOKENS.read })).text()
  const names = new Set<string>()
  for (const [, name, type] of text.matchAll(/^# TYPE (\w+) (\w+)$/gm)) {
    names.add(name!)
    if (type === 'histogram') for (const ending of ['bucket', 'count', 'sum']) names.add(`${name}_${ending}`)
  }
  return names
}

describe('[DEPLOY-4] what is watched', () => {
  it('the dashboard and the alerts ask for metrics that a server reports', async () => {
    const names = await exposed()
    // Prometheus makes this one itself.
    names.add('up')
    for (const [title, expr] of [...shown, ...alerts]) {
      const asked = expr.match(/\b(up|(sojourn|process|nodejs)_\w+)\b/g)!
      expect(asked.length, title).toBeGreaterThan(0)
      expect(
        asked.filter((name) => !names.has(name)),
        title,
      ).toEqual([])
    }
    expect(shown.length).toBeGreaterThan(30)
  })

  it('the operations page says of every metric and every alert what to do about it, and of none that is not', async () => {
    const page = readSource('docs/operations.md').text
    const documented = new Set([...page.matchAll(/`(sojourn_[a-z_]+)/g)].map((match) => match[1]!))
    const names = [...(await exposed())].filter((name) => name.startsWith('sojourn_'))
    const whole = names.filter((name) => !/_(bucket|count|sum)$/.test(name))
    expect(whole.filter((name) => !documented.has(name))).toEqual([])
    expect([...documented].filter((name) => !names.includes(name))).toEqual([])
    for (const [alert] of alerts) expect(page, alert).toContain(`\`${alert}\``)
  })

  it('the dashboard has a place for each panel, and takes the data source that is provisioned', () => {
    const { datasources } = parse(readSource(`${FOLDER}/grafana/provisioning/datasources/prometheus.yml`).text)
    const { providers } = parse(readSource(`${FOLDER}/grafana/provisioning/dashboards/sojourn.yml`).text)
    const { grafana, prometheus } = parse(readSource('docker-compose.yml').text, { merge: true }).services
    expect(grafana.volumes).toContain(`./${FOLDER}/grafana/dashboards:${providers[0].options.path}:ro`)
    expect(new URL(datasources[0].url).hostname).toBe('prometheus')
    expect(prometheus.networks.some((name: string) => grafana.networks.includes(name))).toBe(true)
    const ids = new Set<number>()
    const cells = new Set<string>()
    for (const { id, gridPos, datasource, title } of dashboard.panels) {
      expect(ids.has(id), title).toBe(false)
      ids.add(id)
      if (datasource) expect(datasource.uid).toBe(datasources[0].uid)
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(cells.has(`${x},${y}`), title).toBe(false)
          cells.add(`${x},${y}`)
        }
    }
  })
})

describe.skipIf(!isThere)(`[DEPLOY-4] Prometheus${isThere ? '' : ' (skipped: no prometheus or no promtool)'}`, () => {
  let directory: string
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sojourn-prometheus-'))
    await cp(join(ROOT, FOLDER), directory, { recursive: true })
    const token = join(directory, 'metrics_token')
    await writeFile(token, `${TOKENS.read}\n`)
    const config = (await readFile(join(directory, 'prometheus.yml'), 'utf8'))
      .replace('/run/secrets/metrics_token', token)
      .replace('scrape_interval: 5s', 'scrape_interval: 200ms')
    const at = (region: 'eu' | 'us') => new URL(servers.get(region).url('admin')).host
    await writeFile(
      join(directory, 'prometheus.yml'),
      // The third one is not there.
      config
        .replace('server-eu:7402', at('eu'))
        .replace('server-us:7402', at('us'))
        .replace('server-ap:7402', '127.0.0.1:1'),
    )
  })
  afterEach(() => rm(directory, { recursive: true, force: true }))

  it('takes its configuration and its rules, which say what they should of what they are shown', async () => {
    expect(await output('promtool', ['check', 'config', join(directory, 'prometheus.yml')])).toContain('SUCCESS')
    expect(await output('promtool', ['check', 'rules', join(directory, 'alerts.yml')])).toContain('SUCCESS')
    expect(await output('promtool', ['test', 'rules', join(directory, 'alerts.test.yml')])).toContain('SUCCESS')
  })

  it('scrapes servers with its token, and answers all that the dashboard asks', async () => {
    const probe = createServer().listen(0, '127.0.0.1')
    await once(probe, 'listening')
    const { port } = probe.address() as AddressInfo
    probe.close()
    await once(probe, 'close')
    const prometheus = spawn(
      'prometheus',
      [
        `--config.file=${join(directory, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(directory, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: 'ignore' },
    )
    try {
      const ask = async (expr: string) => {
        const query = new URLSearchParams({ query: expr })
        const response = await fetch(`http://127.0.0.1:${port}/api/v1/query?${query}`).catch(() => undefined)
        // It begins to listen before it begins to answer.
        if (response === undefined || response.status === 503) return undefined
        return (await response.json()) as { status: string; data: { result: { value: [0, string] }[] } }
      }
      const value = async (expr: string) => (await ask(expr))?.data?.result[0]?.value[1]
      await until(async () => (await value('up{region="eu"} + on() up{region="us"}')) === '2', 'both to be scraped')
      await until(async () => (await value('up{region="ap"}')) === '0', 'the third one to be missed')
      for (const [title, expr] of [...shown, ...alerts])
        expect(await ask(expr.replaceAll('$region', '.*')), title).toMatchObject({ status: 'success' })
      expect(await value('sojourn_link_live{region="eu", peer="us"}')).toBe('1')
      expect(await value('sum(sojourn_ready{region=~".*"})')).toBe('2')
    } finally {
      prometheus.kill('SIGTERM')
      await once(prometheus, 'close')
    }
  })
})
