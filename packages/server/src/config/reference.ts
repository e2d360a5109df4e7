/** The reference of all settings, as a table. */
import { SETTINGS, type Setting } from './catalogue.js'

const cell = (text: string): string => text.replaceAll('|', '\\|')

const nameCell = ({ path, env, secret }: Setting): string =>
  secret ? `\`${env}\`, in the environment only` : `\`${path}\`<br>\`${env}\``

/**
 * The table of every setting, as the README has it. Its flag is its path with dashes: `clients.tls.certFile` is `--clients-tls-cert-file`.
 * @example
 * process.stdout.write(settingsTable())
 */
export const settingsTable = (): string =>
  [
    '| setting | default | |',
    '|---|---|---|',
    ...SETTINGS.map((setting) => {
      const fallback = setting.default === undefined ? '–' : `\`${setting.default}\``
      return `| ${nameCell(setting)} | ${fallback} | ${cell(setting.about)}. ${cell(`Give ${setting.allowed}.`)} |`
    }),
  ].join('\n')
