/** The console as a process. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { startRedisServer, startService, urlOfUser } from "@quantum/harness";
import { expect, it, onTestFinished } from "vitest";
import type { Now } from "./api.ts";
import { inlineScripts } from "./page.ts";
import { VENDOR } from "./vendor.ts";

it("serves the page with all that it imports, its API and what every service has, and stops", async () => {
  const redis = await startRedisServer();
  onTestFinished(() => redis.stop());
  const service = await startService("console", {
    REDIS_URL: redis.url,
    CONSOLE_OPERATOR_REDIS_URL: urlOfUser(redis.url, "operator"),
    CONSOLE_PORT: "0",
  });
  onTestFinished(async () => void (await service.kill()));
  const get = (path: string) => fetch(`${service.url}${path}`);
  for (const path of ["/healthz", "/readyz", "/metrics"])
    expect([path, (await get(path)).status]).toEqual([path, 200]);
  const page = await get("/");
  expect(page.headers.get("content-type")).toContain("text/html");
  const policy = page.headers.get("content-security-policy");
  const html = await page.text();
  expect(policy?.match(/'sha256-/g) ?? []).toHaveLength(inlineScripts(html).length);
  for (const path of Object.keys(VENDOR)) {
    const answer = await get(path);
    expect([path, answer.status, answer.headers.get("content-type")]).toEqual([
      path,
      200,
      expect.stringContaining("javascript"),
    ]);
  }
  for (const path of [
    "/package.json",
    "/vendor/",
    "/vendor/../package.json",
    "/..%2fpackage.json",
    "/%2e%2e/package.json",
    "/src/main.ts",
  ])
    expect([path, (await get(path)).status]).toEqual([path, 404]);
  const now = (await (await get("/api/now")).json()) as Now;
  expect(now.away).toBeUndefined();
  expect(now.killSwitch.on).toBe(false);
  // An open stream does not keep it.
  const stream = await get("/api/events");
  expect(stream.status).toBe(200);
  expect(await service.stop()).toEqual({ code: 0, signal: null });
});

it("finds the inline scripts of a page, and no others", () => {
  const html = `<!-- <script>no</script> --><script type="importmap">{"imports": {}}</script>
<script type="module" src="main.mjs"></script><SCRIPT>
let a;</SCRIPT>`;
  expect(inlineScripts(html)).toEqual(['{"imports": {}}', "\nlet a;"]);
});

it("has no operator's key: nothing of it reads one", async () => {
  const manifest = await readFile(join(import.meta.dirname, "../package.json"), "utf8");
  expect(manifest).not.toContain("@quantum/signing");
});
