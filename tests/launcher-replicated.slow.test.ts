/** The launcher's Redis with replicas: a master that is killed as its output says, and a run that goes on. */
import { connectForCommands, disconnect } from "@quantum/redis";
import { expect, it } from "vitest";
import { readFile } from "node:fs/promises";
import { allFree, expectSound, givenLauncher } from "./launch.ts";

/** An election that nobody wins is repeated. */
const TIMEOUT_MS = 180_000;

const { launch, facts, summary, inFolder } = givenLauncher();

it.each([
  ["--sentinel", "redis+sentinel:", 1],
  ["--cluster", "redis+cluster:", 6],
])("%s goes on when a master is killed", { timeout: TIMEOUT_MS }, async (option, scheme, partitions) => {
  const run = await launch(
    ...(["start", "--plans", "200", "--rate", "20", option, "--summary", inFolder("summary.json")] as const),
  );
  const command = await run.line("kill -9 ");
  const pid = Number(command.split("kill -9 ")[1]);
  await run.line("[PERMIT_WAIT] OK");
  const { redis: port, ports } = await facts();
  const { redis } = JSON.parse(await readFile(inFolder("run.json"), "utf8")) as {
    redis: { url: string; partitions: number };
  };
  expect([new URL(redis.url.split(",")[0] ?? "").protocol, redis.partitions]).toEqual([scheme, partitions]);
  // For permitctl: the operator's user can look.
  const client = connectForCommands({ url: redis.url, name: "test", onError: () => undefined });
  expect(await client.ping()).toBe("PONG");
  await disconnect(client);
  process.kill(pid, "SIGKILL");
  const { code, lines } = await run.ended;
  expectSound(code, lines.join("\n"));
  expect(await summary()).toMatchObject({ plans: 200 });
  expect(await allFree([port, ...ports])).toBe(true);
});
