export {
  account,
  choice,
  ConfigError,
  type ConfigSource,
  egress,
  flag,
  integer,
  issuerNames,
  list,
  logLevel,
  number,
  optionalText,
  port,
  readConfig,
  SYMBOLS_RULE,
  symbols,
  text,
} from "./config.ts";
export { commonVariables } from "./service-config.ts";
export { redisUrl, redisUrlVariable, redisVariables, withPassword } from "./redis-config.ts";
export { observeAccountStream } from "./account-stream-telemetry.ts";
export { observeExchangeBudget, shareExchangeBudget } from "./exchange-budget.ts";
export { observeExchangeClock } from "./exchange-clock.ts";
export { observeExchange, shareExchangePauses } from "./exchange-pauses.ts";
export {
  commanderOutput,
  isReaderGone,
  type Line,
  Output,
  type Size,
  spans,
  standardOutput,
  type Style,
  type Styled,
  styled,
} from "./output.ts";
export { ofPartition, partitionsText } from "./partition-sentences.ts";
export { type Intake, openPartitions, type Partition, Partitions, type Place } from "./partitions.ts";
export { every } from "./every.ts";
export { followFile, type FollowedFile } from "./followed-file.ts";
export { keysInTheWay } from "./redis-readiness.ts";
export { type BareContext, runBareService, type Running } from "./service.ts";
export { type RedisContext, runService, type UsablePartition } from "./redis-service.ts";
export { type Attempts, Progress, type Watched } from "./progress.ts";
export { admitRealOrders } from "./real-orders.ts";
export { sharedReading } from "./shared-reading.ts";
export { observeStages, type PassedStage, type Stage, type Stages } from "./stages.ts";
export { isTracing, type TracingConfig } from "./tracing-config.ts";
export { createSimulation, isActive, seededRandom, simulationOf, simulationVariables } from "./simulation.ts";
export { build, type Build, buildText, readBuild } from "./build.ts";
export { createHttp, sharedAnswer } from "./http.ts";
export { askForLease, type LeaseRequest, leaveLease } from "./lease.ts";
export {
  isKillSwitchOn,
  type KillSwitch,
  type KillSwitchSeen,
  readKillSwitch,
  readKillSwitchSeen,
} from "./kill-switch.ts";
export type { Logger } from "pino";
export type { FastifyInstance } from "fastify";
