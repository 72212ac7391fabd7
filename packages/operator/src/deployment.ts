/** Is what was deployed at work? */
import { existsSync } from "node:fs";
import { readlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { CLOCK_BOUND_MS, parseRecordOrNone, planRecord } from "@quantum/contract";
import {
  clocksApart,
  notDurable,
  notReplacedInTime,
  readFacts,
  readFailover,
  type RedisClient,
  serverOf,
  unusable,
} from "@quantum/redis";
import { buildText, ConfigError, integer, readBuild, readConfig } from "@quantum/service-kit";
import { groupsOf, PLAN_PATH, type StreamName } from "@quantum/topology";
import { z } from "zod";
import type { Access, OpenAccess } from "./access.ts";
import { duration } from "./duration.ts";
import { oldestFirst } from "./entries.ts";
import { armedText, readExitState, whyNotArmed } from "./exit/state.ts";
import { type Group, readGroups, readServices, type Service } from "./groups.ts";
import { byServer } from "./places.ts";
import { type Answer, askAt, isHere, Probes } from "./probes.ts";
import { type LastWait, lastWait } from "./waits.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export interface Check {
  check: string;
  /** Null: nobody could be asked. It may be so or not. */
  ok: boolean | null;
  /** What was found. */
  found: string;
}

/** Where the installer keeps a folder for each service. */
const INSTALLED = "/opt/quantum";
/** `APPLY_MODE` at a real venue. */
const REAL_ORDERS = "testnet";
/** Longer pending than consumers' patience (10 s) and a retry of it: nobody takes it over. */
const STUCK_MS = 30_000;

const permitWait = z.object({
  APPLY_PERMIT_WAIT_MS: integer("", 1_200, { min: 1 }),
  APPLY_PERMIT_STEP_MS: integer("", 100, { min: 10 }),
});

/** Where services are that cannot be found by their names. */
export interface Addresses {
  /** Somebody says so: a service that is not there fails. */
  urls?: readonly string[];
  /** Where they were when they started. */
  hints?: readonly string[];
}

/** @param environment the apply-layer's variables */
export async function checkDeployment(
  access: OpenAccess,
  environment: Environment,
  { urls = [], hints = [] }: Addresses = {},
): Promise<Check[]> {
  const [groups, answers, hinted] = await Promise.all([readGroups(access), askAt(urls), askAt(hints)]);
  const probes = new Probes();
  probes.learn([...hinted, ...answers]);
  const services = await readServices(access, groups, probes);
  const deployed = PLAN_PATH.filter((service) => isDeployed(service, groups));
  return [
    await checkConfiguration(access, environment),
    ...answers.flatMap((answer) => checkAddress(answer, services)),
    ...deployed.map(({ name }) => checkService(name, services)),
    ...groupsOf(deployed).flatMap(({ stream, group }) =>
      streamsOf(access, stream).map((key) => checkGroup(key, group, groups)),
    ),
    ...(await Promise.all(
      byServer(access).map(([{ redis }], _, all) =>
        checkDurability(redis, all.length > 1 ? ` of ${serverOf(redis)}` : ""),
      ),
    )),
    await checkExit(access, environment),
    await checkLastOk(access),
    await checkResults(access),
    ...(await Promise.all(deployed.map(({ name }) => checkVersion(name, services)))),
  ];
}

/** An issuer that plans do not need by default is looked for where it has run: it makes its groups at its first start. */
function isDeployed({ issuer, group }: (typeof PLAN_PATH)[number], groups: readonly Group[]): boolean {
  return issuer?.required !== false || groups.some((existing) => existing.group === group);
}

/** The variables are sound, and the running apply-layer lets plans wait as long as they say. */
async function checkConfiguration(access: Access, environment: Environment): Promise<Check> {
  const check = "configuration";
  try {
    const { config } = readConfig({ schema: permitWait, ownPrefixes: [] }, environment);
    const { APPLY_PERMIT_WAIT_MS: waitMs, APPLY_PERMIT_STEP_MS: stepMs } = config;
    const found = `APPLY_PERMIT_WAIT_MS=${waitMs} APPLY_PERMIT_STEP_MS=${stepMs}`;
    if (stepMs > waitMs) return { check, ok: false, found: `${found}: the step is longer than the wait` };
    const running = await runningWaitMs(access);
    if (running === undefined || running === waitMs) return { check, ok: true, found };
    return { check, ok: false, found: `${found}, but the newest plan had ${running} ms` };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { check, ok: false, found: error.violations.join("; ") };
  }
}

/** How long the newest plan that waited was given; undefined if there is none with a record. */
async function runningWaitMs(access: Access): Promise<number | undefined> {
  const outcomes = await Promise.all([lastWait(access, "ok"), lastWait(access, "blocked")]);
  for (const outcome of outcomes) {
    if (outcome === undefined) continue;
    const budgetMs = await budgetOf(access, outcome);
    if (budgetMs !== undefined) return budgetMs;
  }
  return undefined;
}

/** How long a plan may wait, in ms. Undefined without a record of a plan that waited. */
async function budgetOf({ partitions }: Access, { planId, symbol }: LastWait): Promise<number | undefined> {
  const { redis, keys } = partitions.of(symbol);
  const hash = await redis.hgetall(keys.plan(planId));
  const record = parseRecordOrNone(planRecord, hash, ["opened_at_ms", "deadline_ms"]);
  return record && record.deadline_ms - record.opened_at_ms;
}

/** None, if the one that answers is among the services of this Redis: then its own checks tell what it said. */
function checkAddress({ url, instance, probe }: Answer, services: readonly Service[]): Check[] {
  const check = `address ${url}`;
  if (services.some((service) => service.alive && service.instance === instance)) return [];
  if (instance !== undefined)
    return [{ check, ok: false, found: `${instance} answers, and does not read from this Redis` }];
  const found = probe.problems.join("; ") || "what answers does not say which service it is";
  return [{ check, ok: false, found }];
}

function checkService(name: string, services: readonly Service[]): Check {
  const check = `${name} ready`;
  const alive = services.filter(({ service, alive }) => service === name && alive);
  if (alive.length === 0) return { check, ok: false, found: "no instance reads from this Redis" };
  const problems = alive.flatMap(({ instance, probe }) =>
    (probe?.problems ?? []).map((problem) => `${instance}: ${problem}`),
  );
  if (problems.length > 0) return { check, ok: false, found: problems.join("; ") };
  const told = alive.map(({ instance, probe }) =>
    probe === undefined ? `${instance} reads, and was not asked` : instance,
  );
  const ok = alive.some(({ probe }) => probe === undefined) ? null : true;
  return { check, ok, found: `${told.join(", ")}${ok === null ? `: ${ASK}` : ""}` };
}

/** What to do about a service that was not asked. */
const ASK = "it is on another host; give its address with --url";

function checkGroup(stream: string, name: string, groups: readonly Group[]): Check {
  const check = `group ${name} on ${stream}`;
  const group = groups.find((candidate) => candidate.stream === stream && candidate.group === name);
  if (group === undefined) return { check, ok: false, found: "it does not exist" };
  const found = `lag ${group.lag ?? "unknown"}, pending ${group.pending}`;
  const stuck = group.pending > 0 && group.oldestIdleMs > STUCK_MS;
  return {
    check,
    ok: !stuck,
    found: stuck ? `${found}, the oldest for ${duration(group.oldestIdleMs)}` : found,
  };
}

/** Of every partition; proposals come in at one place. */
function streamsOf({ partitions, intake }: Access, stream: StreamName): string[] {
  if (stream === "proposal") return [intake.keys.streams.proposal];
  return partitions.map(({ keys }) => keys.streams[stream]);
}

/** @param which of several servers */
async function checkDurability(redis: RedisClient, which: string): Promise<Check> {
  const [facts, failover] = await Promise.all([readFacts(redis), readFailover(redis)]);
  const problems = [
    ...unusable(facts),
    ...notDurable(facts),
    ...notReplacedInTime(failover, facts),
    ...clocksApart(facts, CLOCK_BOUND_MS),
  ];
  const found =
    problems.length === 0 ? `Redis ${facts.version}, appendfsync always, noeviction` : problems.join("; ");
  return { check: `durability${which}`, ok: problems.length === 0, found };
}

/** Where orders are real, an operator must be able to close everything. */
async function checkExit(access: OpenAccess, environment: Environment): Promise<Check> {
  const check = "exit";
  const nowMs = access.nowMs();
  const state = await readExitState(access.partitions.account);
  const isNeeded = environment["APPLY_MODE"] === REAL_ORDERS;
  const ok = !isNeeded || whyNotArmed(state, nowMs) === undefined;
  return { check, ok, found: armedText(state, nowMs) };
}

async function checkLastOk(access: Access): Promise<Check> {
  const check = "last OK";
  const last = await lastWait(access, "ok");
  if (last?.kind !== "ok") return { check, ok: false, found: "no plan in the streams got its permits" };
  const budgetMs = await budgetOf(access, last);
  const found = `plan=${last.planId} wait_ms=${last.waitMs} of ${budgetMs ?? "?"} safe_qty=${last.safeQty}`;
  const inTime = budgetMs === undefined || last.waitMs < budgetMs;
  return { check, ok: inTime && Number(last.safeQty) > 0, found };
}

/** Each attempt whose results are still in the stream has one, and at most one correction of it (I3, I4). */
async function checkResults({ partitions }: Access): Promise<Check> {
  const terminal = new Map<string, number>();
  const corrections = new Map<string, number>();
  // An attempt is an entry's id, which two partitions may both have given.
  for (const { redis, keys, name } of partitions.all)
    for await (const { fields } of oldestFirst(redis, keys.streams.result)) {
      // The Python apply-layer names no attempt.
      const { attempt = "", corrects = "" } = fields;
      const counts = corrects === "" ? terminal : corrections;
      const named = name === "" ? attempt : `${attempt} of partition ${name}`;
      if (attempt !== "") counts.set(named, (counts.get(named) ?? 0) + 1);
    }
  const twice = [...terminal, ...corrections].filter(([, count]) => count > 1).map(([attempt]) => attempt);
  const counted = `${terminal.size} attempts, corrections ${corrections.size}`;
  const found = twice.length === 0 ? counted : `${counted}; more than one: attempts ${twice.join(", ")}`;
  return { check: "results", ok: twice.length === 0, found };
}

/**
 * What runs against what is installed: a service that was not restarted since runs the version before. What another host
 * has installed is not known here.
 */
async function checkVersion(name: string, services: readonly Service[]): Promise<Check> {
  const check = `${name} version`;
  const asked = services.filter(({ service, probe }) => service === name && probe !== undefined);
  if (asked.length === 0) return { check, ok: null, found: "no instance was asked" };
  const running = [...new Set(asked.map(({ probe }) => (probe?.build ? buildText(probe.build) : "unknown")))];
  const runs = `${running.join(", ")} runs`;
  if (!asked.some(({ instance }) => isHere(instance)))
    return { check, ok: running.length === 1, found: `${runs}, on another host` };
  const installed = await installedBuild(name);
  const ok = running.every((candidate) => candidate === installed);
  return { check, ok, found: `${runs}, ${installed} is installed` };
}

/** The release that the installer's link names; without one, this checkout. */
async function installedBuild(name: string): Promise<string> {
  const current = join(INSTALLED, name, "current");
  const release = await readlink(current).catch(() => undefined);
  if (release === undefined) return buildText();
  // Releases of before there was a build.json took their folder's name for their version.
  return existsSync(join(current, "build.json"))
    ? buildText(readBuild(current))
    : buildText({ version: basename(release), commit: "unknown" });
}
