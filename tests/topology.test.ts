/** What says by hand what packages/topology says: the services themselves. docker-compose.yml has a test of its own. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { SERVICES } from "@quantum/topology";
import { describe, expect, it } from "vitest";
import type { z } from "zod";
import { prometheusFiles } from "../ops/prometheus/files.ts";

const ROOT = join(import.meta.dirname, "..");

describe("the table of services", () => {
  it("has one row a folder", () => {
    // Of a service that has moved, a checkout keeps the folder with its node_modules.
    const folders = readdirSync(join(ROOT, "services")).filter((name) =>
      existsSync(join(ROOT, "services", name, "package.json")),
    );
    expect(SERVICES.map(({ name }) => name).toSorted()).toEqual(folders.toSorted());
  });

  it.each(["name", "unit", "port", "portVariable"] as const)("gives no two services one %s", (field) => {
    const values = SERVICES.map((service) => service[field]);
    expect(new Set(values).size).toBe(values.length);
  });

  it.each(SERVICES)("says of $name what its configuration says", async ({ name, ...row }) => {
    const { configSource } = (await import(`../services/${name}/src/config.ts`)) as {
      configSource: { schema: z.ZodObject; ownPrefixes: readonly string[] };
    };
    const { shape } = configSource.schema;
    expect(configSource.ownPrefixes).toEqual(row.envPrefixes);
    expect((shape[row.portVariable] as z.ZodType).parse(undefined)).toBe(row.port);
    expect(shape).toHaveProperty("HTTP_HOST");
    expect("REDIS_URL" in shape).toBe(row.redis !== "none");
    expect("BINANCE_TESTNET_API_KEY" in shape).toBe(row.needsVenue);
    for (const variable of [...row.symbolVariables, ...Object.keys(row.demonstration)])
      expect(shape).toHaveProperty(variable);
  });
});

describe("ops/prometheus", () => {
  it.each([...prometheusFiles()])("has a fresh %s", (path, content) => {
    const found = readFileSync(join(ROOT, "ops/prometheus", path), "utf8");
    expect(found, "run `pnpm run docs`").toBe(content);
  });
});
