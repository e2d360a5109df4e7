import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '@sojourn/server'
import { StatefulSet } from 'kubernetes-models/apps/v1'
import { Deployment } from 'kubernetes-models/apps/v1/Deployment'
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2'
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1'
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1'
import { ConfigMap, Service } from 'kubernetes-models/v1'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { memoryNeed } from '../../packages/server/src/memory.js'
import { output } from '../support/program.js'
import { openServers } from '../support/servers.js'
import { filesBelow, readSource } from '../support/sources.js'

const FOLDER = 'deploy/kubernetes'

// biome-ignore lint/suspicious/noExplicitAny: manifests are looked into by path; the schemas have their types.
type Manifest = any

const KINDS: { readonly [kind: string]: new (manifest: Manifest) => { validate(): void } } = {
  ConfigMap,
  Deployment,
  HorizontalPodAutoscaler,
  NetworkPolicy,
  PodDisruptionBudget,
  Service,
  StatefulSet,
}

/** Lets the schema look at a value, and notes what it looks at: a name that is none, it passes over. */
const watched = (value: Manifest, path: string, seen: Set<string>): Manifest =>
  typeof value !== 'object' || value === null
    ? value
    : new Proxy(value, {
        get(target, name) {
          if (typeof name === 'string') seen.add(`${path}.${name}`)
          return watched(target[name], `${path}.${String(name)}`, seen)
        },
      })

const pathsOf = (value: Manifest, path: string): string[] =>
  typeof value !== 'object' || value === null
    ? []
    : Object.entries(value).flatMap(([name, inner]) => [`${path}.${name}`, ...pathsOf(inner, `${path}.${name}`)])

/** Names in a manifest that the schemas do not know. @throws where it is not what they allow */
const unknownNames = (manifest: Manifest): string[] => {
  const model: Manifest = new KINDS[manifest.kind]!(manifest)
  const seen = new Set<string>()
  for (const name of Object.keys(manifest)) model[name] = watched(manifest[name], name, seen)
  model.validate()
  return Object.keys(manifest).flatMap((name) => pathsOf(manifest[name], name).filter((path) => !seen.has(path)))
}

const kustomization = parse(readSource(`${FOLDER}/kustomization.yaml`).text)
const manifests: Manifest[] = (kustomization.resources as string[]).flatMap((file) =>
  parseAllDocuments(readSource(`${FOLDER}/${file}`).text).map((document) => document.toJS()),
)
const find = (kind: string, name: string): Manifest => {
  const found = manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name)
  if (found === undefined) throw new Error(`there is no ${kind} ${name}`)
  return found
}
const server = find('StatefulSet', 'sojourn')
const [container] = server.spec.template.spec.containers
const config = find('ConfigMap', 'sojourn').data as { readonly 'sojourn.yaml': string; readonly 'start.sh': string }

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sojourn-kubernetes-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

describe('[DEPLOY-1] the manifests for Kubernetes', () => {
  it.each(manifests.map((manifest) => [`${manifest.kind} ${manifest.metadata.name}`, manifest] as const))(
    'are what the schemas of Kubernetes allow: %s',
    (_, manifest) => {
      expect(unknownNames(manifest)).toEqual([])
      // And it finds what it looks for.
      const wrong = structuredClone(manifest)
      wrong.metadata.labels = { a: 1 }
      expect(() => unknownNames(wrong)).toThrow()
    },
  )

  it('are not misspelt anywhere', () => {
    const wrong = structuredClone(server)
    wrong.spec.template.spec.containers[0].livenesProbe = {}
    wrong.spec.replicaz = 3
    expect(unknownNames(wrong)).toEqual(['spec.template.spec.containers.0.livenesProbe', 'spec.replicaz'])
  })

  it('are all applied', () => {
    const files = filesBelow(FOLDER, '.yaml').map((path) => path.replace(`${FOLDER}/`, ''))
    expect(files.sort()).toEqual([...kustomization.resources, 'kustomization.yaml'].sort())
  })

  it('select what they mean: services, budget and scaler find pods, ports and workloads that there are', () => {
    const workloads = manifests.filter(({ kind }) => kind === 'StatefulSet' || kind === 'Deployment')
    for (const { spec } of workloads) expect(spec.template.metadata.labels).toMatchObject(spec.selector.matchLabels)
    const selected = (labels: Record<string, string>) =>
      workloads.filter(({ spec }) =>
        Object.entries(labels).every(([name, value]) => spec.template.metadata.labels[name] === value),
      )
    for (const service of manifests.filter(({ kind }) => kind === 'Service')) {
      const [workload, ...more] = selected(service.spec.selector)
      expect(more).toEqual([])
      const ports = workload.spec.template.spec.containers[0].ports.map(({ name }: { name: string }) => name)
      for (const { targetPort } of service.spec.ports) expect(ports).toContain(targetPort)
    }
    expect(selected(find('PodDisruptionBudget', 'sojourn').spec.selector.matchLabels)).toEqual([server])
    for (const { labelSelector } of server.spec.template.spec.topologySpreadConstraints)
      expect(selected(labelSelector.matchLabels)).toEqual([server])
    const target = find('HorizontalPodAutoscaler', 'shop').spec.scaleTargetRef
    expect(find(target.kind, target.name).apiVersion).toBe(target.apiVersion)
    // Who is scaled by CPU has to say how much of it he asks for.
    expect(find(target.kind, target.name).spec.template.spec.containers[0].resources.requests.cpu).toBeDefined()
    const headless = find('Service', server.spec.serviceName)
    expect(headless.spec).toMatchObject({ clusterIP: 'None', publishNotReadyAddresses: true })
    expect(container.env).toContainEqual({ name: 'PEER_SERVICE', value: headless.metadata.name })
    expect(container.env).toContainEqual({ name: 'REPLICAS', value: String(server.spec.replicas) })
  })

  it('let in whom they mean: the policy selects the servers, opens ports that they have, and to pods that there are', () => {
    const { podSelector, policyTypes, ingress, egress } = find('NetworkPolicy', 'sojourn').spec
    expect(policyTypes).toEqual(['Ingress', 'Egress'])
    const workloads = manifests.filter(({ kind }) => kind === 'StatefulSet' || kind === 'Deployment')
    const selected = ({ matchLabels }: { matchLabels: Record<string, string> }) =>
      workloads.filter(({ spec }) =>
        Object.entries(matchLabels).every(([name, value]) => spec.template.metadata.labels[name] === value),
      )
    expect(selected(podSelector)).toEqual([server])
    const names = container.ports.map(({ name }: Manifest) => name)
    const open = new Map<string, string[]>()
    for (const { from, ports } of ingress) {
      // A rule without a source, or without ports, opens everything.
      expect(from).toHaveLength(1)
      const [{ podSelector: pods, namespaceSelector }] = from
      const who = pods
        ? selected(pods).map(({ metadata }: Manifest) => metadata.name)
        : Object.values(namespaceSelector.matchLabels)
      expect(who).toHaveLength(1)
      for (const { port, protocol } of ports) {
        expect(protocol).toBe('TCP')
        expect(names).toContain(port)
        open.set(port, [...(open.get(port) ?? []), who[0]])
      }
    }
    expect(Object.fromEntries(open)).toEqual({
      peers: ['sojourn'],
      admin: ['sojourn', 'monitoring'],
      clients: ['shop'],
    })
    const [peers] = egress
    expect(selected(peers.to[0].podSelector)).toEqual([server])
    expect(peers.ports.map(({ port }: Manifest) => port)).toEqual(['peers', 'admin'])
  })

  it('mount what there is, and name no secret', () => {
    for (const { spec } of manifests.filter(({ kind }) => kind === 'StatefulSet' || kind === 'Deployment')) {
      const { volumes, containers } = spec.template.spec
      const there = [...volumes, ...(spec.volumeClaimTemplates ?? []).map(({ metadata }: Manifest) => metadata)]
      expect(containers[0].volumeMounts.map(({ name }: Manifest) => name).sort()).toEqual(
        there.map(({ name }: Manifest) => name).sort(),
      )
      for (const volume of volumes) if (volume.configMap) find('ConfigMap', volume.configMap.name)
    }
    expect(manifests.filter(({ kind }) => kind === 'Secret')).toEqual([])
    const readme = readSource(`${FOLDER}/README.md`).text
    for (const name of ['sojourn', 'shop']) expect(readme).toContain(`kubectl create secret generic ${name} `)
  })

  it('give a server settings that it takes, on the ports that they name', async () => {
    const secrets = join(directory, 'secrets')
    await output('sh', ['deploy/make-secrets.sh', secrets])
    const mounted = config['sojourn.yaml']
      .replace('/etc/sojourn/secrets/link_secret', join(secrets, 'link_secret'))
      .replace('/etc/sojourn/secrets/tokens', join(secrets, 'tokens.txt'))
    expect(mounted).not.toContain('/etc/')
    const file = join(directory, 'sojourn.yaml')
    await writeFile(file, mounted)
    const { settings } = loadConfig({ file, env: { SOJOURN_REGION: 'sojourn-0' }, flags: new Map() })
    const port = (name: string) => container.ports.find((each: Manifest) => each.name === name).containerPort
    expect(settings.links.port).toBe(port('peers'))
    expect(settings.clients.port).toBe(port('clients'))
    expect(settings.admin.port).toBe(port('admin'))
    expect(settings.data).toBe(container.volumeMounts.find(({ name }: Manifest) => name === 'data').mountPath)
    const grace = server.spec.template.spec.terminationGracePeriodSeconds
    expect(settings.shutdownTimeout).toBeLessThan(grace * 1_000)
    const { limits, clients } = settings
    const { total } = memoryNeed({ limits, clients: clients.limits, peers: server.spec.replicas - 1 })
    expect(container.resources.limits.memory).toMatch(/^\d+Mi$/)
    expect(Number.parseInt(container.resources.limits.memory, 10) * 2 ** 20).toBeGreaterThan(total)
  })

  it('give each pod its region and its peers', async () => {
    await writeFile(join(directory, 'start.sh'), config['start.sh'])
    await writeFile(join(directory, 'sojourn'), '#!/bin/sh\necho "$@"\nenv | grep ^SOJOURN_ | sort\n', { mode: 0o755 })
    const env = {
      PATH: `${directory}:${process.env.PATH}`,
      HOSTNAME: 'sojourn-1',
      ...Object.fromEntries(container.env.map(({ name, value }: Manifest) => [name, value])),
    }
    expect((await output('sh', [join(directory, 'start.sh')], { env })).split('\n')).toEqual([
      'serve --config /etc/sojourn/config/sojourn.yaml',
      'SOJOURN_ADMIN_PEERS=sojourn-0=http://sojourn-0.sojourn-peers:7402,sojourn-2=http://sojourn-2.sojourn-peers:7402',
      'SOJOURN_PEERS=sojourn-0=ws://sojourn-0.sojourn-peers:7400,sojourn-2=ws://sojourn-2.sojourn-peers:7400',
      'SOJOURN_REGION=sojourn-1',
    ])
    const mounts = container.volumeMounts.map(({ mountPath }: Manifest) => mountPath)
    for (const path of [container.command[1], '/etc/sojourn/config/sojourn.yaml'])
      expect(
        mounts.some((mount: string) => path.startsWith(`${mount}/`) && config[path.split('/').at(-1) as never]),
      ).toBe(true)
  })

  it('probe what a server answers without a token', async () => {
    await using servers = await openServers(['eu'])
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
      const { path, port } = container[probe].httpGet
      expect(port).toBe('admin')
      expect((await servers.get('eu').ask(path)).status, path).toBe(200)
    }
  })
})
