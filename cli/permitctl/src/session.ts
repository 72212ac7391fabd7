/** One call of the command line: a Redis that answers, and where the answer goes. */
import { readFile } from "node:fs/promises";
import { createKeys, type Keys } from "@quantum/contract";
import {
  connectForBlocking,
  connectForCommands,
  disconnect,
  dispositionOf,
  type RedisClient,
  RedisClock,
} from "@quantum/redis";
import { ConfigError, keysInTheWay, readConfig, redisUrl, redisVariables } from "@quantum/service-kit";
import { z } from "zod";
import { CommandError, EXIT } from "./exit.ts";
import type { Host } from "./host.ts";
import { createTerminal, type Terminal } from "./terminal.ts";

export interface GlobalOptions {
  json?: boolean;
  redisUrl?: string;
  /** A `run.json` of the launcher. */
  run?: string;
}

export interface Session {
  redis: RedisClient;
  keys: Keys;
  /** Without its password. */
  url: string;
  terminal: Terminal;
  connectForBlocking: () => RedisClient;
}

/** Runs one command on an open session. Throws {@link CommandError} with what the shell is told. */
export async function withSession<T>(
  host: Host,
  options: GlobalOptions,
  command: (session: Session) => Promise<T>,
): Promise<T> {
  const url = await urlOf(options, host.env);
  const connection = { url, name: "permitctl", onError: () => undefined };
  const redis = connectForCommands(connection);
  const clock = new RedisClock(redis);
  const shown = withoutPassword(url);
  try {
    await redis.ping();
    // Ages are by Redis's clock: this machine's may be another one's.
    await clock.start();
    return await command({
      redis,
      keys: createKeys(),
      url: shown,
      terminal: createTerminal(host, options.json === true),
      connectForBlocking: () => connectForBlocking(connection),
    });
  } catch (error) {
    throw error instanceof CommandError ? error : await told(error, redis, shown);
  } finally {
    clock.stop();
    await disconnect(redis);
  }
}

/** What the shell is told: what to change, or to ask again later. */
async function told(failure: unknown, redis: RedisClient, shown: string): Promise<unknown> {
  const { problem, status } = redis;
  // The command may only have heard that its connection failed.
  const cause = problem ?? (failure as Error);
  const disposition = dispositionOf(cause);
  if (disposition.kind === "refused")
    return new CommandError(
      EXIT.usage,
      `Redis at ${shown} refuses: ${disposition.advice} (${cause.message})`,
    );
  if (cause.message.startsWith("WRONGTYPE")) {
    const found = await keysInTheWay(redis, createKeys()).catch(() => []);
    return found.length === 0 ? failure : new CommandError(EXIT.no, found.join("; "));
  }
  if (disposition.kind !== "passes") return failure;
  if (problem !== undefined || status !== "ready")
    return new CommandError(EXIT.unreachable, `Redis at ${shown} does not answer: ${cause.message}`);
  // An error of our own is no word of Redis's.
  return cause.name === "ReplyError"
    ? new CommandError(
        EXIT.unreachable,
        `Redis at ${shown} cannot do this now: ${disposition.meaning} (${cause.message})`,
      )
    : failure;
}

async function urlOf({ redisUrl: named, run }: GlobalOptions, env: Host["env"]): Promise<string> {
  if (named !== undefined && run !== undefined)
    throw new CommandError(EXIT.usage, "--redis-url and --run name two Redis servers: give one of them");
  if (run !== undefined) return urlOfRun(run);
  const environment = named === undefined ? env : { REDIS_URL: named };
  try {
    return redisUrl(readConfig({ schema: z.object(redisVariables), ownPrefixes: [] }, environment).config);
  } catch (error) {
    if (error instanceof ConfigError) throw new CommandError(EXIT.usage, error.violations.join("; "));
    throw error;
  }
}

const runFile = z.object({ redis: z.object({ url: z.string() }) });

async function urlOfRun(file: string): Promise<string> {
  try {
    return runFile.parse(JSON.parse(await readFile(file, "utf8"))).redis.url;
  } catch {
    throw new CommandError(EXIT.usage, `--run: ${file} tells of no running pipeline`);
  }
}

function withoutPassword(url: string): string {
  return url.replace(/\/\/[^@/]*@/, "//");
}
