/**
 * Whether this service can work with Redis, checked for each /readyz: it answers, accepts writes, and no key has the
 * wrong type.
 */
import { type Keys, typesOfKeys } from "@quantum/contract";
import {
  dispositionOf,
  isNotOffered,
  type RedisClient,
  type RedisDisposition,
  withDeadline,
} from "@quantum/redis";
import { type RedisConfig, redisVariable } from "./redis-config.ts";

/** Same as a command's own deadline; a connection waiting in line may take longer. */
const ANSWER_DEADLINE_MS = 2_500;
/** A connection that is only briefly lost reconnects before anybody needs to know. */
const RECONNECT_MS = 3_000;

/** If any program adds an entry with this id, the stream accepts no more: every XADD fails. */
const LAST_STREAM_ID = "18446744073709551615-18446744073709551615";

/** @param clients all connections of the service to this server */
export async function redisProblems(
  redis: RedisClient,
  keys: Keys,
  clients: Iterable<RedisClient>,
  config: RedisConfig,
): Promise<string[]> {
  const pipeline = redis.pipeline();
  // Changes nothing, because this stream never exists, but fails wherever a write would fail.
  pipeline.xadd(keys.probe, "NOMKSTREAM", "*", "probe", "1");
  for (const [key] of typesOfKeys(keys)) pipeline.type(key);
  // Returns an error for a stream that does not exist.
  const streams = typesOfKeys(keys).flatMap(([key, type]) =>
    type === "stream" && key !== keys.probe ? [key] : [],
  );
  for (const stream of streams) pipeline.xinfo("STREAM", stream);
  let replies: [Error | null, unknown][];
  try {
    replies = (await withDeadline(pipeline.exec(), ANSWER_DEADLINE_MS, "the check of Redis")) ?? [];
  } catch (error) {
    return [sentence(redis.problem ?? (error as Error), config)];
  }
  const [[refused] = [null], ...found] = replies;
  // A user may lack rights to this one stream but have them for all others. A key of the wrong type is reported below.
  const isHarmless = refused === null || isNotOffered(refused) || refused.message.startsWith("WRONGTYPE");
  const writeProblem = isHarmless ? [] : [sentence(refused, config)];
  const inTheWay = wrongTypes(
    found.map(([, type]) => type),
    typesOfKeys(keys),
  );
  const isExhausted = (info: unknown) => Array.isArray(info) && info.includes(LAST_STREAM_ID);
  const exhausted = streams
    .filter((_, index) => isExhausted(found.at(index - streams.length)?.[1]))
    .map(
      (stream) => `${stream} takes no more entries, since its last id is the highest: rename or delete it`,
    );
  return [
    ...new Set([...writeProblem, ...lostConnections(clients, config, redis)]),
    ...inTheWay,
    ...exhausted,
  ];
}

/**
 * Keys of the wrong type, which break everything that reads them.
 * @param actual the replies to TYPE, in the order of `expected`
 */
function wrongTypes(actual: readonly unknown[], expected: readonly KeyType[]): string[] {
  return expected.flatMap(([key, type], index) => {
    const found = actual[index];
    if (typeof found !== "string" || found === "none" || found === type) return [];
    return [`${key} is a ${found} but must be a ${type}: rename or delete it`];
  });
}

type KeyType = readonly [key: string, type: string];

/**
 * Finds the key that made a command fail with WRONGTYPE, because Redis does not say which: among the fixed ones and the
 * given.
 */
export async function keysInTheWay(
  redis: RedisClient,
  keys: Keys,
  given: readonly KeyType[] = [],
): Promise<string[]> {
  const expected = [...typesOfKeys(keys), ...given];
  return wrongTypes(await Promise.all(expected.map(([key]) => redis.type(key))), expected);
}

/** @param besides one that has been checked in another way */
export function lostConnections(
  clients: Iterable<RedisClient>,
  config: RedisConfig,
  besides?: RedisClient,
): string[] {
  const lostBeforeMs = performance.now() - RECONNECT_MS;
  return [...clients].flatMap((client) => {
    const { problem, problemSinceMs } = client;
    return client === besides || problem === undefined || problemSinceMs > lostBeforeMs
      ? []
      : [sentence(problem, config)];
  });
}

function sentence(error: Error, config: RedisConfig): string {
  const disposition = dispositionOf(error);
  if (disposition.kind === "refused") return refusal(disposition, error, config);
  const meaning = disposition.kind === "passes" ? disposition.meaning : "Redis refuses a write";
  return `${meaning}: ${error.message}`;
}

/** Names the variable and what to do, and quotes Redis's message. */
export function refusal(
  { concerns, advice }: Extract<RedisDisposition, { kind: "refused" }>,
  { message }: Error,
  config: RedisConfig,
): string {
  return `${redisVariable(config, concerns)}: ${advice} (${message})`;
}
