/** `verify`: is what was deployed at work? One line a check. */
import { existsSync } from "node:fs";
import { readFile, readlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { parseEnv } from "node:util";
import { CLOCK_BOUND_MS, type Keys, parseRecordOrNone, planRecord } from "@quantum/contract";
import { clocksApart, notDurable, readFacts, type RedisClient, unusable } from "@quantum/redis";
import { ConfigError, buildText, integer, readBuild, readConfig, spans, styled } from "@quantum/service-kit";
import { GROUPS, PIPELINE } from "@quantum/topology";
import { z } from "zod";
import { CommandError, EXIT } from "./exit.ts";
import { oldestFirst } from "./entries.ts";
import { type Group, readGroups, readServices, type Service } from "./groups.ts";
import type { Host } from "./host.ts";
import type { Session } from "./session.ts";
import { duration } from "./terminal.ts";
import { lastWait } from "./waits.ts";

export interface VerifyOptions {
  /** The apply-layer's environment file; without one, its variables in this process's environment. */
  envFile?: string;
}

interface Check {
  check: string;
  ok: boolean;
  /** What was found. */
  found: string;
}

/** Where the installer keeps a folder for each service. */
const INSTALLED = "/opt/quantum";
/** Longer pending than consumers' patience (10 s) and a retry of it: nobody takes it over. */
const STUCK_MS = 30_000;

const permitWait = z.object({
  APPLY_PERMIT_WAIT_MS: integer("", 1_200, { min: 1 }),
  APPLY_PERMIT_STEP_MS: integer("", 100, { min: 10 }),
});

/** @returns whether every check holds */
export async function verify(session: Session, options: VerifyOptions, env: Host["env"]): Promise<boolean> {
  const { redis, keys, terminal } = session;
  const groups = await readGroups(redis, keys);
  const services = await readServices(redis, groups);
  const environment = await environmentOf(options, env);
  const checks = [
    await checkConfiguration(session, environment),
    ...PIPELINE.map(({ name }) => checkService(name, services)),
    ...GROUPS.map(({ stream, group }) => checkGroup(keys.streams[stream], group, groups)),
    await checkDurability(session),
    await checkLastOk(session),
    await checkResults(session),
    ...(await Promise.all(PIPELINE.map(({ name }) => checkVersion(name, services)))),
  ];
  terminal.print(
    checks,
    checks.map(({ check, ok, found }) => {
      return spans`${ok ? styled("green", "ok  ") : styled("red", "FAIL")} ${check}: ${found}`;
    }),
  );
  return checks.every(({ ok }) => ok);
}

async function environmentOf({ envFile }: VerifyOptions, env: Host["env"]): Promise<Host["env"]> {
  if (envFile === undefined) return env;
  const text = await readFile(envFile, "utf8").catch((error: unknown) => {
    throw new CommandError(EXIT.usage, `--env-file: ${(error as Error).message}`);
  });
  return parseEnv(text);
}

/** The variables are sound, and the running apply-layer lets plans wait as long as they say. */
async function checkConfiguration({ redis, keys }: Session, environment: Host["env"]): Promise<Check> {
  const check = "configuration";
  try {
    const { config } = readConfig({ schema: permitWait, ownPrefixes: [] }, environment);
    const { APPLY_PERMIT_WAIT_MS: waitMs, APPLY_PERMIT_STEP_MS: stepMs } = config;
    const found = `APPLY_PERMIT_WAIT_MS=${waitMs} APPLY_PERMIT_STEP_MS=${stepMs}`;
    if (stepMs > waitMs) return { check, ok: false, found: `${found}: the step exceeds the wait` };
    const running = await runningWaitMs({ redis, keys });
    if (running === undefined || running === waitMs) return { check, ok: true, found };
    return { check, ok: false, found: `${found}, but the newest plan was given ${running} ms` };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { check, ok: false, found: error.violations.join("; ") };
  }
}

/** How long the newest plan that waited was given; undefined if there is none with a record. */
async function runningWaitMs({ redis, keys }: Pick<Session, "redis" | "keys">): Promise<number | undefined> {
  const outcomes = await Promise.all([lastWait(redis, keys, "ok"), lastWait(redis, keys, "blocked")]);
  for (const outcome of outcomes) {
    if (outcome === undefined) continue;
    const budgetMs = await budgetOf(redis, keys, outcome.planId);
    if (budgetMs !== undefined) return budgetMs;
  }
  return undefined;
}

/** How long a plan may wait, in ms. Undefined without a record of a plan that waited. */
async function budgetOf(redis: RedisClient, keys: Keys, planId: string): Promise<number | undefined> {
  const hash = await redis.hgetall(keys.plan(planId));
  const record = parseRecordOrNone(planRecord, hash, ["opened_at_ms", "deadline_ms"]);
  return record && record.deadline_ms - record.opened_at_ms;
}

function checkService(name: string, services: readonly Service[]): Check {
  const check = `${name} ready`;
  const alive = services.filter(({ service, alive }) => service === name && alive);
  if (alive.length === 0) return { check, ok: false, found: "no instance of it reads from this Redis" };
  const problems = alive.flatMap(({ instance, probe }) =>
    (probe?.problems ?? []).map((problem) => `${instance}: ${problem}`),
  );
  if (problems.length > 0) return { check, ok: false, found: problems.join("; ") };
  const told = alive.map(({ instance, probe }) =>
    probe === undefined ? `${instance} (reads; not asked)` : instance,
  );
  return { check, ok: true, found: told.join(", ") };
}

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

async function checkDurability({ redis }: Session): Promise<Check> {
  const facts = await readFacts(redis);
  const problems = [...unusable(facts), ...notDurable(facts), ...clocksApart(facts, CLOCK_BOUND_MS)];
  const found =
    problems.length === 0 ? `Redis ${facts.version}, appendfsync always, noeviction` : problems.join("; ");
  return { check: "durability", ok: problems.length === 0, found };
}

async function checkLastOk({ redis, keys }: Session): Promise<Check> {
  const check = "last OK";
  const last = await lastWait(redis, keys, "ok");
  if (last?.kind !== "ok") return { check, ok: false, found: "no plan in the streams got its permits" };
  const budgetMs = await budgetOf(redis, keys, last.planId);
  const found = `plan=${last.planId} wait_ms=${last.waitMs} of ${budgetMs ?? "?"} safe_qty=${last.safeQty}`;
  const inTime = budgetMs === undefined || last.waitMs < budgetMs;
  return { check, ok: inTime && Number(last.safeQty) > 0, found };
}

/** Each attempt whose results are still in the stream has one, and at most one correction of it (I3, I4). */
async function checkResults({ redis, keys }: Session): Promise<Check> {
  const terminal = new Map<string, number>();
  const corrections = new Map<string, number>();
  for await (const { fields } of oldestFirst(redis, keys.streams.result)) {
    // The Python apply-layer names no attempt.
    const { attempt = "", corrects = "" } = fields;
    const counts = corrects === "" ? terminal : corrections;
    if (attempt !== "") counts.set(attempt, (counts.get(attempt) ?? 0) + 1);
  }
  const twice = [...terminal, ...corrections].filter(([, count]) => count > 1).map(([attempt]) => attempt);
  const counted = `${terminal.size} attempts, corrections ${corrections.size}`;
  const found = twice.length === 0 ? counted : `${counted}; more than one: attempts ${twice.join(", ")}`;
  return { check: "results", ok: twice.length === 0, found };
}

/** What runs against what is installed: a service that was not restarted since runs the version before. */
async function checkVersion(name: string, services: readonly Service[]): Promise<Check> {
  const check = `${name} version`;
  const asked = services.filter(({ service, probe }) => service === name && probe !== undefined);
  if (asked.length === 0) return { check, ok: true, found: "no instance on this host to ask" };
  const running = [...new Set(asked.map(({ probe }) => (probe?.build ? buildText(probe.build) : "unknown")))];
  const installed = await installedBuild(name);
  const ok = running.every((candidate) => candidate === installed);
  return { check, ok, found: `${running.join(", ")} runs, ${installed} is installed` };
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
