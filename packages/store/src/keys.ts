/** Key rings, and what is sealed under them, without the engines: `@sojourn/store/keys`, for settings, commands and backups. */
export { KEY_BYTES, NONCE_BYTES, openBytes, SEAL_BYTES, sealBytes } from './encryption/aes-gcm.js'
export {
  type Encryption,
  encryptionFault,
  isKeyId,
  KEY_IDS,
  type KeyRing,
  keyRefused,
  Ring,
  ringKeyBytes,
} from './encryption/key-ring.js'
