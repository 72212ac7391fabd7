/** `GET /plans/:id` returns a plan's record as JSON, limited in size whatever a proposal contained. */
import { escapeControls, traceIdOf } from "@quantum/contract";
import type { FastifyInstance, Partition, Partitions } from "@quantum/service-kit";

const ANSWER_MAX_BYTES = 256 * 1024;
/** Redis's own estimate, including overhead. One of our records takes 2 kB. */
const READ_MAX_BYTES = 1024 * 1024;
/** Our values are shorter. Of a longer one the beginning is enough. */
const VALUE_MAX_CHARS = 2_000;

/** @param isTraced the answer says the plan's trace, too */
export function addPlansRoute(
  http: FastifyInstance,
  { partitions, isTraced }: { partitions: Partitions; isTraced: boolean },
): void {
  http.get<{ Params: { id: string } }>("/plans/:id", async (request, reply) => {
    const { id } = request.params;
    if (!/^[0-9a-f]{16}$/.test(id)) {
      return reply.code(400).send({ error: "the id is not a plan id, which has 16 lower-case hex digits" });
    }
    const found = await find(partitions, id);
    if (found === undefined) {
      return reply
        .code(404)
        .send({ error: `no record of plan ${id}: never opened, older than a day, or reset` });
    }
    const { redis, key, bytes } = found;
    if (bytes > READ_MAX_BYTES) return reply.code(413).send(tooLarge(key, bytes));
    const record = await redis.hgetall(key);
    const trace = isTraced ? { trace_id: traceIdOf(id) } : {};
    const answer = Buffer.from(
      escapeControls(JSON.stringify({ plan_id: id, ...shortened(record), ...trace })),
    );
    if (answer.length > ANSWER_MAX_BYTES) return reply.code(413).send(tooLarge(key, bytes));
    return reply.type("application/json; charset=utf-8").send(answer);
  });
}

/**
 * An id names no symbol, so every partition is asked.
 * @throws what one that does not answer says, if no other has the plan
 */
async function find(partitions: Partitions, id: string) {
  const look = async ({ redis, keys }: Partition) => {
    const key = keys.plan(id);
    return { redis, key, bytes: await redis.memory("USAGE", key, "SAMPLES", 0) };
  };
  const looks = await Promise.allSettled(partitions.map(look));
  for (const { redis, key, bytes } of looks.flatMap((it) => (it.status === "fulfilled" ? it.value : [])))
    if (bytes !== null) return { redis, key, bytes };
  for (const it of looks) if (it.status === "rejected") throw it.reason;
  return undefined;
}

function shortened(record: Record<string, string>): Record<string, string> {
  const shorten = (value: string) =>
    value.length <= VALUE_MAX_CHARS
      ? value
      : `${value.slice(0, VALUE_MAX_CHARS)}… (${value.length} characters)`;
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, shorten(value)]));
}

function tooLarge(key: string, bytes: number): { error: string } {
  return {
    error: `the record takes ${bytes} bytes, more than is shown here: HSCAN ${key} in redis-cli reads it`,
  };
}
