import { patienceMs, startFaultProxy, startRedisServer, type TestRedis } from "@quantum/harness";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import {
  COMMAND_DEADLINE_MS,
  connectForBlocking,
  connectForCommands,
  DeadlineError,
  disconnect,
  isUnanswered,
  type RedisClient,
  withDeadline,
} from "./connection.ts";

/** What a busy machine may add to a deadline. */
const SLACK_MS = 1_500;
const WAIT_MS = 10_000;

let server: TestRedis;
beforeAll(async () => void (server = await startRedisServer()));
afterAll(() => server.stop());

function connect(
  make = connectForCommands,
  { url = server.url, name = "test", ...how }: { url?: string; name?: string; resend?: false } = {},
): RedisClient {
  const client = make({ url, name, onError: () => undefined, ...how });
  onTestFinished(() => disconnect(client));
  return client;
}

const outcomeOf = (promise: Promise<unknown>) => promise.then(String, (error: Error) => error.message);

describe("a connection for commands", () => {
  it("uses the database of its URL and is named in CLIENT LIST", async () => {
    const client = connect(connectForCommands, { url: `${server.url}/3`, name: "governor@a:8044:commands" });
    await client.set("here", "1");
    expect(await client.client("LIST")).toMatch(/name=governor@a:8044:commands .*db=3 /);
    expect(await connect().exists("here")).toBe(0);
  });

  it("writes the commands of one turn at once, those of its microtasks too", async () => {
    const client = connect();
    await client.ping();
    const writes = vi.spyOn(client.stream, "_writev");
    const later = Promise.resolve().then(() => client.get("b"));
    expect(await Promise.all([client.set("a", "1"), client.get("a"), later])).toEqual(["OK", "1", null]);
    expect(writes).toHaveBeenCalledTimes(1);
  });

  it("ends every command within its deadline while the server is frozen, and works when it is back", async () => {
    const client = connect();
    await client.ping();
    server.pause();
    const startedAt = performance.now();
    const outcomes = await Promise.all([
      outcomeOf(client.get("a")),
      outcomeOf(client.incr("b")),
      outcomeOf(client.pipeline().get("c").exec()),
      outcomeOf(client.eval("return 1", 0)),
    ]);
    const tookMs = performance.now() - startedAt;
    server.resume();
    expect(outcomes.filter((outcome) => !outcome.includes("timed out"))).toEqual([]);
    expect(tookMs).toBeLessThan(COMMAND_DEADLINE_MS + patienceMs(SLACK_MS));
    // Late answers must not be taken for those of later commands.
    expect(await client.echo("mine")).toBe("mine");
  });

  it("is replaced when it is half-open: takes what is sent and answers nothing", async () => {
    const proxy = await startFaultProxy({ upstream: { port: server.port } });
    onTestFinished(() => proxy.close());
    const client = connect(connectForCommands, { url: `redis://127.0.0.1:${proxy.port}` });
    await client.ping();
    proxy.halfOpen();
    expect(await outcomeOf(client.ping())).not.toBe("PONG");
    await vi.waitFor(async () => expect(await client.ping()).toBe("PONG"), { timeout: WAIT_MS });
  });

  it("fails commands while the server is gone, tells its owner, and works when it is back", async () => {
    const own = await startRedisServer();
    onTestFinished(() => own.stop());
    const onError = vi.fn<(error: Error) => void>();
    const client = connectForCommands({ url: own.url, name: "test", onError });
    onTestFinished(() => disconnect(client));
    await client.ping();
    await own.kill();
    expect(await client.get("a").catch(isUnanswered)).toBe(true);
    await vi.waitFor(() => expect(onError).toHaveBeenCalled(), WAIT_MS);
    await own.restart();
    await vi.waitFor(async () => expect(await client.ping()).toBe("PONG"), WAIT_MS);
  });
});

describe("a command whose answer is lost with its connection", () => {
  it.each([
    ["is sent again", {}, "answered", "2"],
    ["is not sent again, but fails, where it must not be", { resend: false }, "unanswered", "1"],
  ] as const)("%s", async (_, how, outcome, count) => {
    const proxy = await startFaultProxy({ upstream: { port: server.port } });
    onTestFinished(() => proxy.close());
    const client = connect(connectForCommands, { url: `redis://127.0.0.1:${proxy.port}`, ...how });
    await client.set("count", "0");
    proxy.resetInReply();
    const told = await client.incr("count").then(
      () => "answered",
      (error: unknown) => (isUnanswered(error) ? "unanswered" : String(error)),
    );
    expect([told, await client.get("count")]).toEqual([outcome, count]);
  });
});

it("the deadline of a lost connection does not end the next one", async () => {
  const proxy = await startFaultProxy({ upstream: { port: server.port } });
  onTestFinished(() => proxy.close());
  const client = connect(connectForCommands, { url: `redis://127.0.0.1:${proxy.port}` });
  await client.ping();
  const closed = vi.fn<() => void>();
  client.on("close", closed);
  const another = connect(connectForBlocking).blpop("never", (COMMAND_DEADLINE_MS + 200) / 1000);
  proxy.stall();
  const answer = client.ping();
  await vi.waitFor(() => expect(client.commandQueue.length).toBe(1), WAIT_MS);
  proxy.reset();
  proxy.heal();
  expect(await answer).toBe("PONG");
  // It lasts longer than the deadline of what was lost.
  await another;
  expect([closed.mock.calls.length, await client.ping()]).toEqual([1, "PONG"]);
});

describe("a command that a replica refuses", () => {
  it.each([
    ["is sent again to the master that the URL leads to now, and run once", {}, "1", "1"],
    ["is not sent again, but fails, where it must not be", { resend: false }, "READONLY", "0"],
  ] as const)("%s", async (_, how, told, count) => {
    const [old, replacement] = await Promise.all([startRedisServer(), startRedisServer()]);
    const proxy = await startFaultProxy({ upstream: { port: old.port } });
    onTestFinished(async () => {
      await Promise.all([proxy.close(), old.stop(), replacement.stop()]);
    });
    const direct = connect(connectForCommands, { url: replacement.url });
    await direct.set("count", "0");
    const client = connect(connectForCommands, { url: `redis://127.0.0.1:${proxy.port}`, ...how });
    await client.ping();
    await connect(connectForCommands, { url: old.url }).replicaof("127.0.0.1", replacement.port);
    client.once("close", () => proxy.lead(replacement.port));
    expect((await outcomeOf(client.incr("count"))).split(" ")[0]).toBe(told);
    // What is sent before the connection has ended may fail with it.
    await vi.waitFor(async () => expect(await client.set("moved", "1")).toBe("OK"), WAIT_MS);
    expect([await direct.get("count"), await direct.get("moved")]).toEqual([count, "1"]);
  });
});

describe("a connection for blocking reads", () => {
  it("waits through a restart instead of failing", async () => {
    const own = await startRedisServer();
    onTestFinished(() => own.stop());
    const client = connect(connectForBlocking, { url: own.url });
    await client.ping();
    await own.kill();
    const answer = client.ping();
    await own.restart();
    expect(await answer).toBe("PONG");
  });
});

describe("a command that fails", () => {
  it.each([
    [
      "at its deadline",
      (client: RedisClient) => (server.pause(), client.get("a").finally(() => server.resume())),
    ],
    ["because its connection is closed", (client: RedisClient) => (client.disconnect(), client.get("a"))],
  ])("%s is unanswered", async (_, send) => {
    const client = connect();
    await client.ping();
    expect(await send(client).then(() => "answered", isUnanswered)).toBe(true);
  });

  it("because Redis refuses it is answered", async () => {
    const client = connect();
    await client.set("a", "text");
    expect(await client.incr("a").catch(isUnanswered)).toBe(false);
  });
});

describe("a database that the server lacks", () => {
  const roles = [connectForCommands, connectForBlocking];

  it.each(roles)("is never replaced by another one, by a %o", async (make) => {
    const own = await startRedisServer({ config: { databases: "2" } });
    onTestFinished(() => own.stop());
    const client = connect(make, { url: `${own.url}/2` });
    expect(await outcomeOf(client.set("a", "1"))).toContain("DB index is out of range");
    expect(client.problem?.message).toContain("DB index is out of range");
    const other = connect(make, { url: `${own.url}/1` }).duplicate({ db: 5 });
    onTestFinished(() => disconnect(other));
    expect(await outcomeOf(other.set("a", "1"))).toContain("DB index is out of range");
    expect(await connect(connectForCommands, { url: own.url }).dbsize()).toBe(0);
  });

  it("is told after a reconnect to a server that has fewer", async () => {
    const own = await startRedisServer();
    const client = connect(connectForCommands, { url: `${own.url}/9` });
    await client.set("a", "1");
    await own.stop();
    const smaller = await startRedisServer({ port: own.port, config: { databases: "4" } });
    onTestFinished(() => smaller.stop());
    await vi.waitFor(() => expect(client.problem?.message).toContain("DB index is out of range"), WAIT_MS);
    expect(await outcomeOf(client.set("a", "2"))).not.toBe("OK");
    expect(await connect(connectForCommands, { url: smaller.url }).dbsize()).toBe(0);
  });
});

describe("a connection's problem", () => {
  it("is there while it cannot be used, is told once, and is gone when it can", async () => {
    const own = await startRedisServer();
    onTestFinished(() => own.stop());
    const told: string[] = [];
    const onError = ({ message }: Error) => told.push(message);
    const client = connectForCommands({ url: own.url, name: "test", onError });
    onTestFinished(() => disconnect(client));
    await client.ping();
    expect(client.problem).toBeUndefined();
    await own.kill();
    await vi.waitFor(() => expect(client.problem?.message).toContain("ECONNREFUSED"), WAIT_MS);
    await outcomeOf(client.ping());
    await outcomeOf(client.ping());
    expect(told).toEqual([expect.stringContaining("ECONNREFUSED")]);
    await own.restart();
    await vi.waitFor(() => expect(client.problem).toBeUndefined(), WAIT_MS);
    expect(await client.ping()).toBe("PONG");
  });
});

describe("disconnect", () => {
  const roles = [connectForCommands, connectForBlocking];

  it.each(roles)("ends a %o that is in use, twice too", async (make) => {
    const client = connect(make);
    await client.ping();
    await Promise.all([disconnect(client), disconnect(client)]);
    await disconnect(client);
    expect(client.status).toBe("end");
  });

  it("ends one that has only just begun to connect", async () => {
    const client = connect();
    await disconnect(client);
    expect(client.status).toBe("end");
  });

  it.each(roles)(
    "ends a %o between two attempts to reach a dead server, and its commands with it",
    async (make) => {
      const own = await startRedisServer();
      const client = connect(make, { url: own.url });
      await client.ping();
      const reconnecting = new Promise((resolve) => client.once("reconnecting", resolve));
      await own.stop();
      await reconnecting;
      const answer = outcomeOf(client.get("a"));
      expect(client.status).toBe("reconnecting");
      await disconnect(client);
      expect(client.status).toBe("end");
      expect(await answer).toMatch(/closed|max retries/);
    },
  );

  it("ends a blocked read of a frozen server", async () => {
    const client = connect(connectForBlocking);
    await client.ping();
    const answer = outcomeOf(client.blpop("never", 0));
    server.pause();
    await disconnect(client).finally(() => server.resume());
    expect(await answer).toContain("closed");
  });
});

describe("withDeadline", () => {
  it("passes an answer or an error on", async () => {
    expect(await withDeadline(Promise.resolve(1), 1_000, "GET a")).toBe(1);
    await expect(withDeadline(Promise.reject(new Error("refused")), 1_000, "GET a")).rejects.toThrow(
      "refused",
    );
  });

  it("names what did not answer, and how long it had", async () => {
    const late = withDeadline(new Promise(() => undefined), 5, "XREADGROUP plans");
    await expect(late).rejects.toThrow(new DeadlineError("XREADGROUP plans: no answer within 5 ms"));
    await expect(late).rejects.toBeInstanceOf(DeadlineError);
  });

  it("leaves no unhandled rejection behind when the answer is an error and comes late", async () => {
    const { promise, reject } = Promise.withResolvers<never>();
    await expect(withDeadline(promise, 1, "GET a")).rejects.toThrow(DeadlineError);
    reject(new Error("late"));
    await expect(promise).rejects.toThrow("late");
  });
});
