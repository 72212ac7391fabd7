export { endProcess, spawnGuarded } from "./child-process.ts";
export type { GuardedProcess, SpawnOptions } from "./child-process.ts";
export { freePort, isFree } from "./free-port.ts";
export { findRedisServer } from "./redis-binary.ts";
export type { FindRedisOptions, RedisBinary } from "./redis-binary.ts";
export { startRedisServer } from "./redis-server.ts";
export type { RedisServerOptions, TestRedis } from "./redis-server.ts";
export { startService } from "./process.ts";
export type { LogRecord, ServiceExit, ServiceProcess } from "./process.ts";
