/** What a service asks of Redis before it starts. Source: DESIGN.md, "start-up gate". */
import type { RedisClient } from "./connection.ts";

const OLDEST_MAJOR = 7;

export interface RedisFacts {
  version: string;
  runId: string;
  role: string;
  aofEnabled: boolean;
  appendfsync: string;
  maxmemoryPolicy: string;
  /** Redis's clock minus ours, in ms, give or take half a round trip. */
  clockOffsetMs: number;
}

export async function readFacts(client: RedisClient): Promise<RedisFacts> {
  const sentAt = Date.now();
  const [seconds, micros] = await client.time();
  const midway = (sentAt + Date.now()) / 2;
  const info = parseInfo(await client.info());
  const setting = async (name: string) => ((await client.config("GET", name)) as string[])[1] ?? "";
  return {
    version: info["redis_version"] ?? "0",
    runId: info["run_id"] ?? "",
    role: info["role"] ?? "",
    aofEnabled: info["aof_enabled"] === "1",
    appendfsync: await setting("appendfsync"),
    maxmemoryPolicy: await setting("maxmemory-policy"),
    clockOffsetMs: Math.round(Number(seconds) * 1000 + Number(micros) / 1000 - midway),
  };
}

// Both are written so that what cannot be read as a number is refused.

/** Redis older than 7.0 lacks what the scripts use; a replica would refuse every write. */
export function unusable(facts: RedisFacts): string[] {
  const problems: string[] = [];
  if (!(Number(facts.version.split(".")[0]) >= OLDEST_MAJOR)) {
    problems.push(`redis_version is ${facts.version}: ${OLDEST_MAJOR}.0 or newer is needed`);
  }
  if (facts.role !== "master") problems.push(`role is ${facts.role}: a master is needed`);
  return problems;
}

/** Why this Redis may forget a claim or a spent permit: with real orders, a reason not to start. */
export function notDurable(facts: RedisFacts, clockBoundMs: number): string[] {
  const problems: string[] = [];
  if (!facts.aofEnabled) problems.push("appendonly is no: a restart would forget claims and spent permits");
  if (facts.appendfsync !== "always") {
    problems.push(`appendfsync is ${facts.appendfsync}: only 'always' never forgets an acknowledged claim`);
  }
  if (facts.maxmemoryPolicy !== "noeviction") {
    problems.push(`maxmemory-policy is ${facts.maxmemoryPolicy}: only 'noeviction' never drops a claim`);
  }
  if (!(Math.abs(facts.clockOffsetMs) <= clockBoundMs)) {
    problems.push(
      `the clock is ${facts.clockOffsetMs} ms off Redis's: at most ${clockBoundMs} ms is allowed`,
    );
  }
  return problems;
}

function parseInfo(text: string): Record<string, string> {
  return Object.fromEntries(
    text
      .split("\r\n")
      .filter((line) => line.includes(":"))
      .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]),
  );
}
