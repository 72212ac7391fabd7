/** Whether Redis lets this service work, asked when /readyz is: it answers, it takes writes, and no key is in the way. */
import { type Keys, typesOfKeys } from "@quantum/contract";
import {
  dispositionOf,
  isNotOffered,
  type RedisClient,
  type RedisDisposition,
  withDeadline,
} from "@quantum/redis";
import { type RedisConfig, redisVariable } from "./config.ts";

/** As a command's own deadline; a connection that waits for its turn may take longer. */
const ANSWER_DEADLINE_MS = 2_500;
/** A connection that is only lost for a moment finds its way back before anybody has to know. */
const RECONNECT_MS = 3_000;

/** After an entry with this id, which any program may write, a stream accepts no more: XADD fails forever. */
const LAST_STREAM_ID = "18446744073709551615-18446744073709551615";

/** @param clients every connection of the service */
export async function redisProblems(
  redis: RedisClient,
  keys: Keys,
  clients: Iterable<RedisClient>,
  config: RedisConfig,
): Promise<string[]> {
  const pipeline = redis.pipeline();
  // A write that changes nothing, since the stream is never there: it fails where any write would.
  pipeline.xadd(keys.probe, "NOMKSTREAM", "*", "probe", "1");
  for (const [key] of typesOfKeys(keys)) pipeline.type(key);
  // An error where there is none.
  const streams = Object.values(keys.streams);
  for (const stream of streams) pipeline.xinfo("STREAM", stream);
  let replies: [Error | null, unknown][];
  try {
    replies = (await withDeadline(pipeline.exec(), ANSWER_DEADLINE_MS, "a look at Redis")) ?? [];
  } catch (error) {
    return [sentence(redis.problem ?? (error as Error), config)];
  }
  const [[refused] = [null], ...found] = replies;
  // A user without rights to this one stream may have them to all others; one of the wrong type is named below.
  const isHarmless = refused === null || isNotOffered(refused) || refused.message.startsWith("WRONGTYPE");
  const writeProblem = isHarmless ? [] : [sentence(refused, config)];
  const inTheWay = wrongTypes(
    found.map(([, type]) => type),
    keys,
  );
  const isExhausted = (info: unknown) => Array.isArray(info) && info.includes(LAST_STREAM_ID);
  const exhausted = streams
    .filter((_, index) => isExhausted(found.at(index - streams.length)?.[1]))
    .map(
      (stream) => `${stream} takes no more entries, since its last id is the highest: rename or delete it`,
    );
  return [
    ...new Set([...writeProblem, ...lostConnections(redis, clients, config)]),
    ...inTheWay,
    ...exhausted,
  ];
}

/** Keys of the wrong type stop everybody who reads them. @param actual as TYPE answers, in the order of `typesOfKeys` */
function wrongTypes(actual: readonly unknown[], keys: Keys): string[] {
  return typesOfKeys(keys).flatMap(([key, type], index) => {
    const found = actual[index];
    if (typeof found !== "string" || found === "none" || found === type) return [];
    return [`${key} is a ${found} but must be a ${type}: rename or delete it`];
  });
}

/** Which fixed key made a command fail with WRONGTYPE: Redis does not say. */
export async function keysInTheWay(redis: RedisClient, keys: Keys): Promise<string[]> {
  return wrongTypes(await Promise.all(typesOfKeys(keys).map(([key]) => redis.type(key))), keys);
}

function lostConnections(redis: RedisClient, clients: Iterable<RedisClient>, config: RedisConfig): string[] {
  const lostBeforeMs = performance.now() - RECONNECT_MS;
  return [...clients].flatMap((client) => {
    const { problem, problemSinceMs } = client;
    return client === redis || problem === undefined || problemSinceMs > lostBeforeMs
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

/** Names the variable, what to do, and Redis's message. */
export function refusal(
  { concerns, advice }: Extract<RedisDisposition, { kind: "refused" }>,
  { message }: Error,
  config: RedisConfig,
): string {
  return `${redisVariable(config, concerns)}: ${advice} (${message})`;
}
