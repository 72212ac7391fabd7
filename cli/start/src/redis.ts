/** The Redis of a run: one of its own, or the empty one that the caller names. */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  connectForCommands,
  disconnect,
  readFacts,
  type RedisClient,
  unusable,
  waitsFor,
} from "@quantum/redis";
import { findRedisServer, shellWord, startRedisServer } from "@quantum/harness";

export interface RunRedis {
  url: string;
  port: number;
  /** Ready to be pasted into a shell. */
  cli: string;
  /** How the server that this run started has ended; never, if it is the caller's. */
  ended: Promise<string>;
  /** Ends what this run started; a Redis of the caller's stays. */
  stop(): Promise<void>;
}

const DEFAULT_PORT = 6379;
const SCAN_COUNT = 1_000;

/** A server on a free port, its data in a fresh folder below `dir`. */
export async function startOwnRedis(dir: string, onProgress: (text: string) => void): Promise<RunRedis> {
  const binary = await findRedisServer({ onProgress });
  const data = join(dir, "redis");
  await rm(data, { recursive: true, force: true });
  await mkdir(data, { recursive: true });
  const server = await startRedisServer({ dir: data });
  // The package's client is not on the PATH.
  const client = binary.origin === "path" ? "redis-cli" : (binary.cli ?? "redis-cli");
  return {
    url: server.url,
    port: server.port,
    cli: `${shellWord(client)} -p ${server.port}`,
    ended: server.exited,
    stop: () => server.stop(),
  };
}

/** Throws if it cannot be reached, or if a pipeline has left its keys there: mixed histories prove nothing. */
export async function useRedis(url: string): Promise<RunRedis> {
  let lastError = "it does not answer";
  const client = connectForCommands({
    url,
    name: "start:check",
    onError: (error) => (lastError = error.message),
  });
  try {
    const cannotBeUsed = (why: string, cause?: unknown) =>
      new Error(`--redis-url ${withoutPassword(url)} cannot be used: ${why}`, { cause });
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
        `--redis-url ${withoutPassword(url)} has quantum:* keys already (such as ${found}): name an empty database`,
      );
    }
  } finally {
    await disconnect(client);
  }
  const port = Number(new URL(url).port) || DEFAULT_PORT;
  return {
    url,
    port,
    cli: `redis-cli -u ${shellWord(withoutPassword(url))}`,
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

export function withoutPassword(url: string): string {
  const parsed = new URL(url);
  if (parsed.password !== "") parsed.password = "***";
  return parsed.href;
}
