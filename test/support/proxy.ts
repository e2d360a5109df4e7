/** The proxy of the nemesis, which tests cut and stall, too. */
export { type Address, openProxy, type Recorded, type TcpProxy } from '../../nemesis/src/proxy.js'
