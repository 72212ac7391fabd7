/** Services that can and cannot be asked: what `verify` and `status` say of them. */
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createKeys } from "@quantum/contract";
import { useRedis } from "@quantum/harness/vitest";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { build, buildText } from "@quantum/service-kit";
import { afterAll, beforeAll, expect, it } from "vitest";
import { permitctl } from "./outcomes.fixture.ts";

const keys = createKeys();
const { server, redis } = await useRedis();
const ELSEWHERE = "executor@elsewhere:8049";

let reader: RedisClient;
let dir = "";
const services: Server[] = [];
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "quantum-permitctl-"));
  // As a service's blocking connection names itself, so that it counts as one that reads.
  reader = connectForCommands({ url: server.url, name: `${ELSEWHERE}:blocking`, onError: () => undefined });
  await reader.ping();
  await redis.xgroup("CREATE", keys.streams.execute, "executor", "$", "MKSTREAM");
  await redis.xgroup("CREATECONSUMER", keys.streams.execute, "executor", ELSEWHERE);
});
afterAll(async () => {
  await disconnect(reader);
  await rm(dir, { recursive: true });
  for (const service of services) service.close();
});

/** A service as it answers by HTTP. @returns its URL */
async function answering(instance: string | undefined, problems: readonly string[] = []): Promise<string> {
  const service = createServer(({ url }, answer) => {
    const health = { status: "ok", ...build(), instance };
    answer.end(JSON.stringify(url === "/healthz" ? health : { status: "", problems }));
  });
  services.push(service);
  await once(service.listen(0, "127.0.0.1"), "listening");
  return `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
}

const verified = (...urls: string[]) =>
  permitctl(server.url, ["verify", ...urls.flatMap((url) => ["--url", url])]);
const lineOf = (text: string, what: string) => text.split("\n").find((line) => line.includes(what));

it("a service on another host is not asked, and so never ok", async () => {
  const { code, stdout } = await verified();
  expect(code).toBe(1);
  expect(lineOf(stdout, "executor ready")).toBe(
    `not asked executor ready: ${ELSEWHERE} reads, and was not asked: it is on another host; give its address with --url`,
  );
  expect(lineOf(stdout, "executor version")).toBe("not asked executor version: no instance was asked");
  const data = JSON.parse((await permitctl(server.url, ["verify", "--json"])).stdout) as object[];
  expect(data).toContainEqual(expect.objectContaining({ check: "executor ready", ok: null }));
  const { stdout: status } = await permitctl(server.url, ["status"]);
  expect(lineOf(status, ELSEWHERE)).toMatch(/ yes +not asked +not asked$/);
});

it("is asked at the address that is given", async () => {
  const url = await answering(ELSEWHERE);
  const { stdout } = await verified(url);
  expect(lineOf(stdout, "executor ready")).toBe(`ok        executor ready: ${ELSEWHERE}`);
  expect(lineOf(stdout, "executor version")).toBe(
    `ok        executor version: ${buildText()} runs, on another host`,
  );
  expect(stdout).not.toContain("address ");
  const { stdout: status } = await permitctl(server.url, ["status", "--url", url]);
  expect(lineOf(status, ELSEWHERE)).toMatch(/ yes +yes +\d/);
  const named = await permitctl(server.url, ["verify"], undefined, { PERMITCTL_URLS: ` ${url},` });
  expect(named.stdout).toBe(stdout);
  const file = join(dir, "run.json");
  const { port } = new URL(url);
  const ports = { executor: Number(port), "harvest-feed": 1 };
  await writeFile(file, JSON.stringify({ ports, redis: { url: server.url } }));
  const ofRun = await permitctl(server.url, ["verify", "--run", file]);
  expect(ofRun.stdout).toBe(stdout);
  const problem = await verified(await answering(ELSEWHERE, ["it is stuck"]));
  expect(lineOf(problem.stdout, "executor ready")).toBe(
    `FAIL      executor ready: ${ELSEWHERE}: it is stuck`,
  );
});

it("an address where something else answers, or nothing, fails", async () => {
  const other = await answering("governor@elsewhere:8044");
  const nameless = await answering(undefined);
  const { code, stdout } = await verified(other, nameless, "http://127.0.0.1:1");
  expect(code).toBe(1);
  expect(lineOf(stdout, other)).toBe(
    `FAIL      address ${other}: governor@elsewhere:8044 answers, and does not read from this Redis`,
  );
  expect(lineOf(stdout, nameless)).toBe(
    `FAIL      address ${nameless}: what answers does not say which service it is`,
  );
  expect(lineOf(stdout, "127.0.0.1:1:")).toMatch(/^FAIL +address http:\/\/127\.0\.0\.1:1: /);
  const refused = { code: 2, stdout: "", stderr: expect.stringContaining("must be a URL such as") };
  expect(await verified("governor:8044")).toMatchObject(refused);
  expect(
    await permitctl(server.url, ["status"], undefined, { PERMITCTL_URLS: "governor:8044" }),
  ).toMatchObject(refused);
});
