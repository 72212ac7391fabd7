export { askRedisTime, RedisClock, redisNow, wholeMs } from "./clock.ts";
export {
  connectForBlocking,
  connectForCommands,
  type ConnectOptions,
  DeadlineError,
  disconnect,
  isUnanswered,
  type RedisClient,
  withDeadline,
} from "./connection.ts";
export { dispositionOf, isNotOffered, type RedisConcern, type RedisDisposition } from "./disposition.ts";
export {
  clocksApart,
  missingRights,
  notDurable,
  notReadable,
  readFacts,
  type RedisFacts,
  unusable,
  waitsFor,
} from "./preflight.ts";
export { type Failover, notReplacedInTime, readFailover } from "./failover.ts";
export { connectForHashes, type Hashes, hashesOn } from "./hashes.ts";
export { bindScript, type ScriptCall, type ScriptName } from "./script.ts";
export { serverOf } from "./server-of.ts";
export { atEndOfTurn } from "./turn.ts";
export {
  type Address,
  type ClusterUrl,
  parseRedisUrl,
  type RedisUrl,
  RedisUrlError,
  type SentinelUrl,
  type ServerUrl,
  withoutCredentials,
  withoutPasswords,
  writeRedisUrl,
} from "./url.ts";
