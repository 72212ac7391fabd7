/** A run's Redis: its own, or the caller's empty one. */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  connectForCommands,
  disconnect,
  readFacts,
  type RedisClient,
  unusable,
  waitsFor,
  withoutPasswords,
} from "@quantum/redis";
import { findRedisServer, type RedisBinary, shellWord, startRedisServer, urlOfUser } from "@quantum/harness";

export interface RunRedis {
  url: string;
  /** As in PARTITIONS. */
  partitions: number;
  /** Of one of its servers. */
  port: number;
  /** For the run file: an operator's, with the password if that is the run's own. */
  operatorUrl: string;
  /** For a Redis user: the run's own server knows each, the caller's only the one that its URL names. */
  urlOf: (user: string) => string;
  /** Can be pasted into a shell. */
  cli: string;
  /** How to fail over by hand, one line for each master. None where nothing would take its place. */
  failover: readonly string[];
  /** How long it may be silent before the run is given up. */
  silenceMs: number;
  /** Resolves with how the server of this run ended; never for the caller's, or where another takes its place. */
  ended: Promise<string>;
  /** Ends what this run started. The caller's Redis keeps running. */
  stop(): Promise<void>;
}

const DEFAULT_PORT = 6379;
const SCAN_COUNT = 1_000;
/** Restarting the caller's own Redis takes seconds. */
const SILENCE_MS = 10_000;

/** Of a Redis of the run's own. */
export interface Wanted {
  /** Its data is in a new folder below. */
  dir: string;
  /** As in PARTITIONS. */
  partitions: number;
  onProgress: (text: string) => void;
}

export async function prepare({ dir, onProgress }: Wanted): Promise<{ data: string; binary: RedisBinary }> {
  const binary = await findRedisServer({ onProgress });
  const data = join(dir, "redis");
  await rm(data, { recursive: true, force: true });
  await mkdir(data, { recursive: true });
  return { data, binary };
}

/** Starts a server on a free port. */
export async function startOwnRedis(wanted: Wanted): Promise<RunRedis> {
  const { partitions } = wanted;
  const { data, binary } = await prepare(wanted);
  const server = await startRedisServer({ dir: data, defaultUser: false, partitions });
  return {
    url: urlOfUser(server.url, "admin"),
    partitions,
    port: server.port,
    operatorUrl: urlOfUser(server.url, "operator"),
    urlOf: (user) => urlOfUser(server.url, user),
    // Who looks inside changes nothing by mistake.
    cli: `${clientCommand(binary)} -u ${urlOfUser(server.url, "viewer")} --no-auth-warning`,
    failover: [],
    silenceMs: SILENCE_MS,
    ended: server.exited,
    stop: () => server.stop(),
  };
}

/** Of the shell. The client of the distribution's package is not on the PATH. */
export function clientCommand({ origin, cli }: RedisBinary): string {
  return shellWord(origin === "path" ? "redis-cli" : (cli ?? "redis-cli"));
}

/** Throws if Redis is unreachable or contains a pipeline's keys: mixed histories prove nothing. */
export async function useRedis(url: string, partitions: number): Promise<RunRedis> {
  let lastError = "it does not answer";
  const client = connectForCommands({
    url,
    name: "start:check",
    onError: (error) => (lastError = error.message),
  });
  try {
    const cannotBeUsed = (why: string, cause?: unknown) =>
      new Error(`--redis-url ${withoutPasswords(url)} cannot be used: ${why}`, { cause });
    const facts = await readFacts(client).catch((error: unknown) => {
      throw cannotBeUsed(client.problem === undefined ? (error as Error).message : lastError, error);
    });
    const problems = [...unusable(facts), waitsFor(facts) ?? []].flat();
    if (problems.length > 0) throw cannotBeUsed(problems.join("; "));
    const found = await firstKey(client).catch((error: unknown) => {
      throw cannotBeUsed(client.problem === undefined ? (error as Error).message : lastError, error);
    });
    if (found !== undefined) {
      throw new Error(
        `--redis-url ${withoutPasswords(url)} has quantum:* keys already (such as ${found}): name an empty database`,
      );
    }
  } finally {
    await disconnect(client);
  }
  const port = Number(new URL(url).port) || DEFAULT_PORT;
  return {
    url,
    partitions,
    port,
    operatorUrl: withoutPasswords(url),
    urlOf: () => url,
    cli: `redis-cli -u ${shellWord(withoutPasswords(url))}`,
    failover: [],
    silenceMs: SILENCE_MS,
    ended: new Promise(() => undefined),
    stop: async () => undefined,
  };
}

async function firstKey(client: RedisClient): Promise<string | undefined> {
  let cursor = "0";
  do {
    const [next, keys] = await client.scan(cursor, "MATCH", "quantum:*", "COUNT", SCAN_COUNT);
    if (keys[0] !== undefined) return keys[0];
    cursor = next;
  } while (cursor !== "0");
  return undefined;
}
