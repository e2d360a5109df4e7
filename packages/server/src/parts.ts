/** What commands need of the server without running one: settings, the format of backups, places in a data directory. */
export { checkBackup, decodeBackup } from './backup/format.js'
export { SETTINGS, type Setting } from './config/catalogue.js'
export { type Config, type ConfigInput, loadConfig, loadPart, readText } from './config/load.js'
export { settingsTable } from './config/reference.js'
export { strangeVariables } from './config/sources.js'
export { syncDirectory, writeWhole } from './files.js'
export { placesIn } from './places.js'
export { VERSION } from './version.js'
