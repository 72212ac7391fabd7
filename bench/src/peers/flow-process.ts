/** One worker of the flow, by role. The children are the issuers; the parent runs once both have answered. */
import { setTimeout as delay } from "node:timers/promises";
import { connectForCommands, connectForBlocking } from "@quantum/redis";
import { type Job, Worker } from "bullmq";
import { monotonicMs } from "../clock.ts";
import { FLOW_PARENT, FLOW_VERDICTS, type FlowData } from "./flow.ts";

/** As many jobs as any case has in progress at once. */
const CONCURRENCY = 1000;

const url = process.env["REDIS_URL"] ?? "";
const role = process.env["FLOW_ROLE"] ?? "";
const onError = () => undefined;
const redis = connectForCommands({ url, name: `flow:${role}:commands`, onError });
const connection = connectForBlocking({ url, name: `flow:${role}`, onError });

const worker = new Worker<FlowData>(role, role === FLOW_PARENT ? judge : issue, {
  connection,
  concurrency: CONCURRENCY,
});
worker.on("error", onError);
await worker.waitUntilReady();
console.log(JSON.stringify({ msg: "ready" }));

async function issue({ data }: Job<FlowData>): Promise<unknown> {
  const waitMs = (data.answerAtMs ?? 0) - monotonicMs();
  if (waitMs > 0) await delay(waitMs);
  return { granted: true, allow: true, safe_qty: 1 };
}

async function judge(job: Job<FlowData>): Promise<void> {
  const permits = Object.values(await job.getChildrenValues<{ granted?: boolean }>());
  const ok = permits.length === 2 && permits.every(({ granted }) => granted === true);
  const atMs = String(monotonicMs());
  void redis.xadd(FLOW_VERDICTS, "*", "index", String(job.data.index), "ok", String(ok), "at_ms", atMs);
}
