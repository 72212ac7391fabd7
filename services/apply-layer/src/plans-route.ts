/** `GET /plans/:id`: a plan's record as JSON. */
import type { Keys } from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";
import type { FastifyInstance } from "@quantum/service-kit";

export function addPlansRoute(http: FastifyInstance, redis: RedisClient, keys: Keys): void {
  http.get<{ Params: { id: string } }>("/plans/:id", async (request, reply) => {
    const { id } = request.params;
    if (!/^[0-9a-f]{16}$/.test(id)) {
      return reply
        .code(400)
        .send({ error: `plan id ${JSON.stringify(id)}: 16 lower-case hex digits are needed` });
    }
    const record = await redis.hgetall(keys.plan(id));
    if (Object.keys(record).length === 0) {
      return reply
        .code(404)
        .send({ error: `no record of plan ${id}: never opened, older than a day, or reset` });
    }
    return { plan_id: id, ...record };
  });
}
