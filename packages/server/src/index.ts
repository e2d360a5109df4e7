/** The command line. @param argv as `process.argv` */
export const main = (argv: readonly string[]): void => {
  process.stdout.write(`${argv.length}\n`)
}
