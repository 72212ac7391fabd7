import { useRedis } from "../vitest/use-redis.ts";
import { describe, expect, it, onTestFinished } from "vitest";
import { openPipelineRedis } from "../pipeline-redis.ts";
import { drain, waitForEnd } from "./quiescence.ts";
import { History } from "./history.ts";
import { StreamTail } from "./stream-tail.ts";

const STUCK_MS = 120;
const idle = { onLook: () => undefined, stuckMs: STUCK_MS, signal: new AbortController().signal };

const { redis, server } = await useRedis();

describe("the end of a run", () => {
  it("is stuck when no plan ends any more", async () => {
    expect(await waitForEnd({ ...idle, history: new History(), isDone: () => false })).toBe("stuck");
  });

  it("is not stuck as long as plans end", async () => {
    const history = new History();
    let looks = 0;
    const onLook = () => history.ended.add(String(looks++));
    const isDone = () => looks > 10;
    expect(await waitForEnd({ ...idle, history, onLook, isDone })).toBe("done");
  });

  it("comes with the request to stop", async () => {
    const signal = AbortSignal.abort();
    expect(await waitForEnd({ ...idle, history: new History(), isDone: () => false, signal })).toBe(
      "interrupted",
    );
  });
});

describe("draining", () => {
  it.each([1, 6])(
    "waits for what groups of any of %i partitions have not read or not acknowledged",
    async (partitions) => {
      const history = new History();
      const pipeline = openPipelineRedis({ url: server.url, partitions, name: "test" });
      onTestFinished(() => pipeline.close());
      const tail = new StreamTail(pipeline, history);
      const look = (deadlineMs: number) => drain({ redis: pipeline, history, tail, deadlineMs });
      const { execute } = pipeline.partitions.of("BTCUSDT").keys.streams;
      await redis.xgroup("CREATE", execute, "executor", "0", "MKSTREAM");
      expect(await look(5_000)).toEqual([]);

      await redis.xadd(execute, "1-0", "not", "an entry");
      expect(await look(0)).toContain(`group executor of ${execute}: 0 pending, not read to its end`);
      await redis.xreadgroup("GROUP", "executor", "one", "STREAMS", execute, ">");
      expect(await look(0)).toContain(`group executor of ${execute}: 1 pending`);
      await redis.xack(execute, "executor", "1-0");
      expect(await look(5_000)).toEqual([]);
      await tail.stop();
    },
  );

  it("goes on once a Redis answers again that did not", async () => {
    const history = new History();
    const pipeline = openPipelineRedis({ url: server.url, partitions: 1, name: "test" });
    onTestFinished(() => pipeline.close());
    const tail = new StreamTail(pipeline, history);
    const look = (deadlineMs: number) => drain({ redis: pipeline, history, tail, deadlineMs });
    expect(await look(5_000)).toEqual([]);
    server.pause();
    expect(await look(0).finally(() => server.resume())).toEqual([
      "Redis does not answer: Command timed out",
    ]);
    expect(await look(10_000)).toEqual([]);
    await tail.stop();
  });
});
