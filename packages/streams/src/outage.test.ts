import { connectForBlocking, DeadlineError } from "@quantum/redis";
import { startFaultProxy } from "@quantum/harness";
import { describe, expect, it, onTestFinished } from "vitest";
import { keys, recordEvents, recorder, startRig, STREAM, until } from "./rig.fixture.ts";
import { StreamConsumer } from "./consumer.ts";
import { ACK } from "./disposition.ts";
import type { Entry } from "./entry.ts";

const make = (options: ConstructorParameters<typeof StreamConsumer>[0]) => new StreamConsumer(options);

const connectTo = (url: string) => connectForBlocking({ url, name: "blocking", onError: () => undefined });

async function givenRig(options: Parameters<typeof startRig>[0] = {}) {
  const rig = await startRig(options);
  onTestFinished(() => rig.stop());
  return rig;
}

describe("a consumer whose Redis", () => {
  it("is killed and restarted in mid-run loses nothing", async () => {
    const rig = await givenRig({ appendonly: true, appendfsync: "always" });
    const { handle, ids } = recorder();
    const consumer = rig.consumer(make, { handle, concurrency: 8 });
    const added = await rig.add(600);
    await consumer.start();
    await until(() => expect(ids().length).toBeGreaterThan(200));
    await rig.server.kill();
    await rig.server.restart();
    await until(() => expect(ids().length).toBeGreaterThan(400));
    await rig.server.kill();
    await rig.server.restart();
    await until(async () => expect(await rig.pendingCount()).toBe(0));
    await until(() => expect(new Set(ids())).toEqual(new Set(added)));
    expect(await rig.redis.exists(keys.streams.deadLetter)).toBe(0);
  });

  it("comes back empty makes its group again", async () => {
    const rig = await givenRig();
    const { handle, ids } = recorder();
    const consumer = rig.consumer(make, { handle });
    const groups = recordEvents(consumer, "group");
    await consumer.start();
    await rig.server.kill();
    await rig.server.restart();
    await until(() => expect(groups).toHaveLength(2));
    const added = await rig.add(3);
    await until(() => expect(ids()).toEqual(added));
  });

  it("stood still for longer than a command's deadline gets what was under way handled again at once", async () => {
    const rig = await givenRig();
    const deliveries: number[] = [];
    const handle = async (entry: Entry) => {
      deliveries.push(entry.deliveries);
      if (deliveries.length === 1) throw new DeadlineError("no answer within 2000 ms");
      return ACK;
    };
    const consumer = rig.consumer(make, { handle, reclaimIdleMs: 600_000 });
    await consumer.start();
    await rig.add(1);
    await until(() => expect(deliveries).toEqual([1, 2]));
    await until(async () => expect(await rig.pendingCount()).toBe(0));
  });

  it("was cut off in the middle of an answer gets its entries again at once", async () => {
    const rig = await givenRig();
    const proxy = await startFaultProxy({ upstream: { port: rig.server.port } });
    onTestFinished(() => proxy.close());
    const { handle, ids } = recorder();
    const connectForBlocking = () => connectTo(`redis://127.0.0.1:${proxy.port}`);
    const consumer = rig.consumer(make, { handle, connectForBlocking, reclaimIdleMs: 600_000 });
    await consumer.start();
    const before = await rig.add(1);
    await until(() => expect(ids()).toEqual(before));
    proxy.resetInReply();
    const after = await rig.add(3);
    await until(() => expect(new Set(ids())).toEqual(new Set([...before, ...after])));
    await until(async () => expect(await rig.pendingCount()).toBe(0));
  });

  it("is not there yet starts when it comes, or stops when it is told to", async () => {
    const rig = await givenRig();
    const waiting = rig.consumer(make, { handle: recorder().handle });
    const stopped = rig.consumer(make, { handle: recorder().handle, consumer: "governor@b:8044" });
    const failed = recordEvents(stopped, "failed");
    await rig.server.kill();
    const starting = [waiting.start(), stopped.start()];
    await until(() => expect(failed.length).toBeGreaterThan(0));
    await stopped.stop();
    await starting[1];
    await rig.server.restart();
    await starting[0];
    expect(waiting.groupReady).toBe(true);
    expect(stopped.groupReady).toBe(false);
  });

  it("holds something else under the stream's name keeps trying, and recovers", async () => {
    const rig = await givenRig();
    await rig.redis.set(STREAM, "not a stream");
    const { handle, ids } = recorder();
    const consumer = rig.consumer(make, { handle });
    const failed = recordEvents(consumer, "failed");
    const starting = consumer.start();
    await until(() => expect(failed[0]?.[0].error.message).toContain("WRONGTYPE"));
    await rig.redis.del(STREAM);
    await starting;
    const added = await rig.add(1);
    await until(() => expect(ids()).toEqual(added));
  });
});
