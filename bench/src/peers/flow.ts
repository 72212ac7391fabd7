/** A BullMQ flow as a contender: a parent job that waits for two children. Source: https://docs.bullmq.io/guide/flows */
import { connectForBlocking, disconnect } from "@quantum/redis";
import { FlowProducer, Queue } from "bullmq";
import type { Contender } from "../contender.ts";
import type { Rig } from "../rig.ts";
import { field, StreamReader } from "../stream-reader.ts";

export const FLOW_VERDICTS = "bench:flow:verdicts";
export const FLOW_PARENT = "bench-apply";
const FLOW_ISSUERS = ["bench-governor", "bench-p33"] as const;

export interface FlowData {
  index: number;
  /** When the child answers, by {@link monotonicMs}; undefined: at once. */
  answerAtMs?: number;
}

export async function startFlow(rig: Rig): Promise<Contender> {
  const roles = [FLOW_PARENT, ...FLOW_ISSUERS];
  await Promise.all(
    roles.map((role) => rig.startProgram(role, "bench/src/peers/flow-process.ts", { FLOW_ROLE: role })),
  );
  const connection = connectForBlocking({ url: rig.url, name: "bench:flow", onError: () => undefined });
  const producer = new FlowProducer({ connection });
  const queues = roles.map((role) => new Queue(role, { connection }));
  const opts = { removeOnComplete: true, removeOnFail: true };
  const reader = await StreamReader.open(rig.url, FLOW_VERDICTS, (_, fields) => {
    const ok = field(fields, "ok") === "true";
    contender.onVerdict(Number(field(fields, "index")), ok, Number(field(fields, "at_ms")));
  });
  const contender: Contender = {
    name: "flow",
    publish(index, answerAtMs) {
      const [governor, p33] = FLOW_ISSUERS;
      const last: FlowData = answerAtMs === undefined ? { index } : { index, answerAtMs };
      void producer.add({
        name: "plan",
        queueName: FLOW_PARENT,
        data: { index },
        opts,
        children: [
          { name: "permit", queueName: governor, data: { index }, opts },
          { name: "permit", queueName: p33, data: last, opts },
        ],
      });
    },
    release: () => undefined,
    onVerdict: () => undefined,
    async clear() {
      // Jobs in progress then fail, but nobody waits for them.
      await Promise.all(queues.map((queue) => queue.obliterate({ force: true })));
    },
    async stop() {
      await reader.stop();
      await Promise.all([producer, ...queues].map((one) => one.close()));
      await disconnect(connection);
    },
  };
  return contender;
}
