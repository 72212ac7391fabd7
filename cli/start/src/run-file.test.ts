import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { claimRun, stopRun } from "./run-file.ts";

const FACTS = {
  pid: 42,
  startedAt: "2026-01-22T23:20:48.373Z",
  scenario: "healthy",
  seed: 7,
  ports: { governor: 8044 },
  redis: { url: "redis://127.0.0.1:20123", port: 20123, partitions: 1 },
  exit: { keysFolder: "/tmp/keys", mode: "paper", venue: "simulated", account: "main" },
};
let dir = "";

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "quantum-run-"));
});
afterEach(() => rm(dir, { recursive: true }));

describe("the claim of a checkout", () => {
  it("is refused to a second pipeline, by the first one's name", async () => {
    const claim = await claimRun(dir);
    await claim.write(FACTS);
    await expect(claimRun(dir)).rejects.toThrow(/running already \(pid 42, .*redis:\/\/127\.0\.0\.1:20123/);
    expect(JSON.parse(await readFile(join(dir, "run.json"), "utf8"))).toEqual(FACTS);
    await claim.release();
    await (await claimRun(dir)).release();
  });

  it("is never found half-written, however often its facts change", async () => {
    const claim = await claimRun(dir);
    await claim.write(FACTS);
    const writes = (async () => {
      for (let seed = 0; seed < 200; seed++) await claim.write({ ...FACTS, seed });
      return "written";
    })();
    let reads = 0;
    while ((await Promise.race([writes, readFile(join(dir, "run.json"), "utf8")])) !== "written") {
      expect(JSON.parse(await readFile(join(dir, "run.json"), "utf8"))).toMatchObject({ pid: 42 });
      reads += 1;
    }
    expect(reads).toBeGreaterThan(0);
    await claim.release();
  });

  it("takes the request to stop, which ends when the pipeline has", async () => {
    const claim = await claimRun(dir);
    await claim.write(FACTS);
    const stopped = stopRun(dir);
    await claim.stopRequested;
    await claim.release();
    expect(await stopped).toContain("pid 42");
    expect(await stopRun(dir)).toBeUndefined();
  });

  it("does not outlive a pipeline that was killed", async () => {
    // A socket without a listener, as after SIGKILL: a close only removes it under its first name.
    const server = createServer();
    await once(server.listen(join(dir, "first-name")), "listening");
    await rename(join(dir, "first-name"), join(dir, "run.sock"));
    server.close();
    await writeFile(join(dir, "run.json"), JSON.stringify(FACTS));
    expect(await stopRun(dir)).toBeUndefined();
    await (await claimRun(dir)).release();
  });
});
