/**
 * Real processes and servers, faults between them, and the verifier, which checks what a pipeline did against the
 * invariants.
 */
export { randomSeed, wholeNumber } from "./command-line.ts";
export { sectionOf, withSection } from "./document-section.ts";
export { startFaultProxy } from "./faults/fault-proxy.ts";
export type { FaultProxy, FaultProxyOptions, ProxyFrame, FrameAction } from "./faults/fault-proxy.ts";
export { fillWithJunk, JUNK, makeKnown } from "./faults/junk.ts";
export { useUpIds } from "./faults/stream-ids.ts";
export { PARTITIONS_MAX } from "@quantum/contract";
export { type Checked, checkIssuer, issuerCases, type IssuerCheck } from "./issuer-check/run.ts";
export { endProcess, spawnGuarded } from "./processes/child-process.ts";
export type { GuardedProcess, SpawnOptions } from "./processes/child-process.ts";
export { eventually } from "./processes/eventually.ts";
export { keepRunning, MARK_CASES, MARKED, type MarkCase } from "./kill-switch-marks.ts";
export { launch } from "./processes/launch.ts";
export type { Launch, Launched, LogRecord } from "./processes/launch.ts";
export { freePort, isFree } from "./processes/free-port.ts";
export { patienceMs } from "./processes/patience.ts";
export { startProgram, startService } from "./processes/process.ts";
export type { ServiceExit, ServiceProcess } from "./processes/process.ts";
export { shellWord } from "./processes/shell-word.ts";
export { addRunKey, addRunOperator, makeRunKeys, RUN_OPERATOR } from "./run-keys.ts";
export { findAlertmanager } from "./servers/alertmanager-binary.ts";
export type { AlertmanagerBinaries } from "./servers/alertmanager-binary.ts";
export { startAlertmanager } from "./servers/alertmanager-server.ts";
export type { TestAlertmanager } from "./servers/alertmanager-server.ts";
export { findChromium } from "./servers/chromium-binary.ts";
export { keyspaceOf } from "./servers/keyspace.ts";
export { findPrometheus } from "./servers/prometheus-binary.ts";
export type { PrometheusBinaries } from "./servers/prometheus-binary.ts";
export { startPrometheus } from "./servers/prometheus-server.ts";
export type { TestPrometheus } from "./servers/prometheus-server.ts";
export { findRedisServer } from "./servers/redis-binary.ts";
export type { FindRedisOptions, RedisBinary } from "./servers/redis-binary.ts";
export { canShiftRedisClock } from "./servers/redis-clock.ts";
export { startRedisCluster } from "./servers/redis-cluster.ts";
export type { ClusterNode } from "./servers/cluster-nodes.ts";
export type { RedisCluster, RedisClusterOptions } from "./servers/redis-cluster.ts";
export { haveReplicas } from "./servers/followers.ts";
export { startRedisServer } from "./servers/redis-server.ts";
export type { RedisServerOptions, TestRedis } from "./servers/redis-server.ts";
export { startReplicatedRedis } from "./servers/replicated-redis.ts";
export type { ReplicatedRedis, ReplicatedRedisOptions } from "./servers/replicated-redis.ts";
export { addIssuerUser, underOwnUser, urlOfUser } from "./servers/redis-users.ts";
export { openPipelineRedis } from "./pipeline-redis.ts";
export type { PipelineRedis, PipelineRedisOptions } from "./pipeline-redis.ts";
export { violationsOf } from "./violations.ts";
export { collectEvidence, collectWhatIsLeft, readSymbols, switchStrategy } from "./verifier/evidence.ts";
export type { Claim, Evidence, Halt, Sources, VenueOrder, VenueTrade } from "./verifier/evidence.ts";
export { evidenceOf } from "./verifier/flawless-evidence.ts";
export type { MutableEvidence, PlanOutline } from "./verifier/flawless-evidence.ts";
export type { Finding } from "./verifier/finding.ts";
export { History, streamRef } from "./verifier/history.ts";
export type {
  ExecuteRecord,
  HistoryEvents,
  PermitRecord,
  PlanRecord,
  ResultRecord,
  StreamName,
  StreamRef,
} from "./verifier/history.ts";
export { checkInvariants, INVARIANTS, UNCHECKED } from "./verifier/invariants.ts";
export { ORDER_OUTCOMES } from "./verifier/plan-checks.ts";
export type { Findings, InvariantName } from "./verifier/invariants.ts";
export { drain, STUCK_MS, waitForEnd } from "./verifier/quiescence.ts";
export { type Affected, StreamTail } from "./verifier/stream-tail.ts";
