import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startProgram } from "./process.ts";

const WAIT_MS = 5_000;

/** Logs like our services. The environment's BEHAVIOUR says what it does after `ready`. */
const PROGRAM = `
  const log = (fields) => console.log(JSON.stringify({ level: 30, time: Date.now(), ...fields }));
  const behaviour = process.env.BEHAVIOUR;
  if (behaviour === "fail") { console.error("REDIS_PORT is 0: must be 1 or more"); process.exit(3); }
  process.on("SIGTERM", () => { log({ msg: "stopping" }); process.exit(0); });
  log({ msg: "ready on a port", url: "http://127.0.0.1:8043" });
  console.log("not a record");
  if (behaviour === "end") process.exit(4);
  setTimeout(() => log({ msg: "later", plan: "67e6da21fa9fe506" }), 50);
  setInterval(() => {}, 1000);
`;

describe("a service as a process", () => {
  let dir: string;
  let main: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "quantum-program-"));
    main = join(dir, "main.mjs");
    await writeFile(main, PROGRAM);
  });
  afterAll(() => rm(dir, { recursive: true }));

  it("is ready with the url it logged, and stops gracefully", async () => {
    const service = await startProgram("sample", main, {});
    expect(service.url).toBe("http://127.0.0.1:8043");
    expect(await service.stop()).toEqual({ code: 0, signal: null });
    expect(service.logs.map(({ msg }) => msg)).toContain("stopping");
  });

  it("waits for records to come and finds past ones", async () => {
    const service = await startProgram("sample", main, {});
    const later = await service.waitForLog(({ msg }) => msg === "later", WAIT_MS);
    expect(later["plan"]).toBe("67e6da21fa9fe506");
    expect(await service.waitForLog(({ msg }) => msg === "later", WAIT_MS)).toBe(later);
    await service.kill();
  });

  it("rejects a wait at its deadline, or when the service ends first", async () => {
    const service = await startProgram("sample", main, {});
    await expect(service.waitForLog(() => false, 1)).rejects.toThrow(/no such record within \d+ ms/);
    const wait = service.waitForLog(() => false, WAIT_MS).catch(String);
    await service.kill();
    expect(await wait).toContain("sample ended with SIGKILL");
    expect(await service.exited).toEqual({ code: null, signal: "SIGKILL" });
  });

  it("tells how a service ended that nobody stopped", async () => {
    const service = await startProgram("sample", main, { BEHAVIOUR: "end" });
    expect(await service.exited).toEqual({ code: 4, signal: null });
    expect(await service.stop()).toEqual({ code: 4, signal: null });
  });

  it("shows the output of a service that does not start", async () => {
    const start = startProgram("sample", main, { BEHAVIOUR: "fail" });
    await expect(start).rejects.toThrow(/sample ended with 3[^]*REDIS_PORT is 0/);
  });
});
