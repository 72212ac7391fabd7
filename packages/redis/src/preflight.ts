/** What a service asks of Redis before it starts, and why it may end the start: docs/adr/0013. */
import type { RedisClient } from "./client.ts";
import { isNotOffered } from "./disposition.ts";
import type { RedisUrl } from "./url.ts";

const OLDEST_MAJOR = 7;

export interface RedisFacts {
  version: string;
  runId: string;
  role: string;
  /** `standalone`, `cluster` or `sentinel`. */
  mode: string;
  /** How the connection's URL says where Redis is. */
  ledBy: RedisUrl["kind"];
  /** What Redis keeps. Undefined: this user may not read it. */
  aofEnabled: boolean | undefined;
  appendfsync: string | undefined;
  maxmemoryPolicy: string | undefined;
  /** How many replicas follow it now. Undefined: this user may not read it. */
  replicas: number | undefined;
  minReplicasToWrite: string | undefined;
  /** In s. */
  minReplicasMaxLag: string | undefined;
  /** Redis's clock minus ours, in ms, give or take half a round trip. */
  clockOffsetMs: number;
}

/** Throws what Redis refuses, besides the rights to INFO and CONFIG GET, which some providers keep for themselves. */
export async function readFacts(client: RedisClient): Promise<RedisFacts> {
  const sentAt = Date.now();
  const [seconds, micros] = await client.time();
  const midway = (sentAt + Date.now()) / 2;
  const setting = async (name: string) =>
    ((await ifOffered(client.config("GET", name))) as string[] | undefined)?.[1];
  const [server, appendfsync, maxmemoryPolicy, minReplicasToWrite, minReplicasMaxLag] = await Promise.all([
    readServer(client),
    setting("appendfsync"),
    setting("maxmemory-policy"),
    setting("min-replicas-to-write"),
    setting("min-replicas-max-lag"),
  ]);
  return {
    ...server,
    ledBy: client.ledBy,
    appendfsync,
    maxmemoryPolicy,
    minReplicasToWrite,
    minReplicasMaxLag,
    clockOffsetMs: Math.round(Number(seconds) * 1000 + Number(micros) / 1000 - midway),
  };
}

type ServerFacts = Pick<RedisFacts, "version" | "runId" | "role" | "mode" | "aofEnabled" | "replicas">;

async function readServer(client: RedisClient): Promise<ServerFacts> {
  const text = await ifOffered(client.info());
  if (text === undefined) return await greet(client);
  const info = parseInfo(text);
  return {
    version: info["redis_version"] ?? "0",
    runId: info["run_id"] ?? "",
    role: info["role"] ?? "",
    mode: info["redis_mode"] ?? "",
    aofEnabled: info["aof_enabled"] === "1",
    replicas: Number(info["connected_slaves"]),
  };
}

/** HELLO without a protocol changes nothing, and tells the most needed without a right to INFO. */
async function greet(client: RedisClient): Promise<ServerFacts> {
  const flat = (await client.call("HELLO")) as unknown[];
  const field = (name: string) => String(flat[flat.indexOf(name) + 1]);
  return {
    version: field("version"),
    runId: "",
    role: field("role"),
    mode: field("mode"),
    aofEnabled: undefined,
    replicas: undefined,
  };
}

/** Redis checks its rules and runs nothing. Source: https://redis.io/docs/latest/develop/programmability/lua-api/ */
const MISSING_RIGHTS = `
local missing = {}
for _, line in ipairs(cjson.decode(ARGV[1])) do
  if not redis.acl_check_cmd(unpack(line)) then missing[#missing + 1] = table.concat(line, ' ') end
end
return missing`;

/**
 * Runs a script, because everything that matters is a script.
 * @returns those of the commands that this user may not send, each as text
 */
export async function missingRights(
  client: RedisClient,
  commands: readonly (readonly string[])[],
): Promise<string[]> {
  return (await client.eval(MISSING_RIGHTS, 0, JSON.stringify(commands))) as string[];
}

export async function ifOffered<T>(reply: Promise<T>): Promise<T | undefined> {
  try {
    return await reply;
  } catch (error) {
    if (isNotOffered(error)) return undefined;
    throw error;
  }
}

// What follows is written so that what cannot be read as a number is refused.

/** A URL that leads to this mode. */
const URL_FORM: ReadonlyMap<string, string> = new Map([
  ["standalone", "redis://"],
  ["cluster", "redis+cluster://"],
  ["sentinel", "redis+sentinel://"],
]);

/** Redis older than 7.0 lacks what the scripts use; a cluster's slots have to be followed. */
export function unusable(facts: RedisFacts): string[] {
  const problems: string[] = [];
  if (!(Number(facts.version.split(".")[0]) >= OLDEST_MAJOR)) {
    problems.push(`redis_version is ${facts.version}, must be ${OLDEST_MAJOR}.0 or newer`);
  }
  const expected = facts.ledBy === "cluster" ? "cluster" : "standalone";
  if (facts.mode !== expected) {
    const form = URL_FORM.get(facts.mode);
    const advice = form === undefined ? "" : `: its URL begins with ${form}`;
    problems.push(`redis_mode is ${facts.mode}, must be ${expected}${advice}`);
  }
  return problems;
}

/** A replica refuses every write, but a failover may make it a master. @returns what is waited for, or undefined */
export function waitsFor({ role }: RedisFacts): string | undefined {
  return role === "master" ? undefined : `role is ${role}, must be master`;
}

/** What a service does without, in a sentence each. */
export function notReadable(facts: RedisFacts): string[] {
  const problems: string[] = [];
  if (facts.aofEnabled === undefined) problems.push("INFO is not offered to this Redis user");
  if (facts.appendfsync === undefined) problems.push("CONFIG GET is not offered to this Redis user");
  return problems;
}

/** Why this Redis may forget a claim or a spent permit: with real orders, a reason not to start. */
export function notDurable(facts: RedisFacts): string[] {
  const problems = notReadable(facts).map((what) => `${what}: whether Redis forgets cannot be told`);
  const { aofEnabled, appendfsync, maxmemoryPolicy } = facts;
  if (aofEnabled === false)
    problems.push("appendonly is no: a restart would forget claims and spent permits");
  if (appendfsync !== undefined && appendfsync !== "always") {
    problems.push(`appendfsync is ${appendfsync}: only 'always' never forgets an acknowledged claim`);
  }
  if (maxmemoryPolicy !== undefined && maxmemoryPolicy !== "noeviction") {
    problems.push(`maxmemory-policy is ${maxmemoryPolicy}: only 'noeviction' never drops a claim`);
  }
  return [...problems, ...isolatable(facts)];
}

/** Redis's default. For so long, and 2 s more, an isolated master takes writes. */
const LAG_MAX_SEC = 10;

/** Why a master that has lost its replicas, one of which may be master now, would go on to take claims. */
export function isolatable({ replicas, minReplicasToWrite, minReplicasMaxLag }: RedisFacts): string[] {
  if (replicas === undefined || replicas === 0) return [];
  const problems: string[] = [];
  if (minReplicasToWrite !== undefined && !(Number(minReplicasToWrite) >= 1)) {
    problems.push(
      `min-replicas-to-write is ${minReplicasToWrite}: cut off from its replicas, only a master with at least 1 stops taking claims`,
    );
  }
  const lagSec = Number(minReplicasMaxLag);
  if (minReplicasMaxLag !== undefined && !(lagSec >= 1 && lagSec <= LAG_MAX_SEC)) {
    problems.push(
      `min-replicas-max-lag is ${minReplicasMaxLag}: only with 1 to ${LAG_MAX_SEC} s does a master that is cut off stop in time`,
    );
  }
  return problems;
}

/** Whether the caller's clock and Redis's agree. Unlike the rest, it may come right by itself. */
export function clocksApart({ clockOffsetMs }: RedisFacts, boundMs: number): string[] {
  if (Math.abs(clockOffsetMs) <= boundMs) return [];
  return [`the clock is ${clockOffsetMs} ms off Redis's: at most ${boundMs} ms is allowed`];
}

function parseInfo(text: string): Record<string, string> {
  return Object.fromEntries(
    text
      .split("\r\n")
      .filter((line) => line.includes(":"))
      .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]),
  );
}
