export { RedisClock, redisNow } from "./clock.ts";
export {
  COMMAND_DEADLINE_MS,
  connectForBlocking,
  connectForCommands,
  connectForJobs,
  type ConnectOptions,
  DeadlineError,
  disconnect,
  isUnanswered,
  type RedisClient,
  withDeadline,
} from "./connection.ts";
export { notDurable, readFacts, type RedisFacts, unusable } from "./preflight.ts";
export { bindScript, type ScriptCall } from "./script.ts";
export { atEndOfTurn } from "./turn.ts";
