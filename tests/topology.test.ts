/** What says by hand what packages/topology says: services of their own, and docker-compose.yml. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DEFAULT_MARKET } from "@quantum/exchange-sim";
import { demonstrationOf, keyVariablesOf, PIPELINE, type Service, SERVICES, userOf } from "@quantum/topology";
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

describe("docker-compose.yml", () => {
  const file = readFileSync(join(ROOT, "docker-compose.yml"), "utf8");
  const blocks = new Map(
    [...file.matchAll(/^ {2}([\w-]+):\n((?: {4}.*\n|\n| {2}#.*\n)+)/gm)].map(([, name = "", text = ""]) => [
      name,
      text,
    ]),
  );
  /** By name: what the file says once and refers to. */
  const anchors = new Map(
    [...file.matchAll(/^x-[\w-]+: &(\w+)(.*\n(?: {2}.*\n)*)/gm)].map(([, name = "", text = ""]) => [
      name,
      text.trim(),
    ]),
  );
  /** With the text of what it refers to. */
  const whole = (text: string): string =>
    text +
    [...text.matchAll(/\*(\w+)/g)].map(([, name = ""]) => `\n${whole(anchors.get(name) ?? "")}`).join("");

  it("runs every service of the table and no other of ours", () => {
    const ours = [...blocks].filter(([, text]) => text.includes("build:")).map(([name]) => name);
    expect(ours.toSorted()).toEqual([...SERVICES.map(({ name }) => name), "keys"].toSorted());
  });

  it("makes the keys first, and shows each to whom it concerns alone", () => {
    const made = blocks.get("keys") ?? "";
    for (const service of SERVICES) {
      const own = blocks.get(service.name) ?? "";
      const files = keyVariablesOf(service).map(([, name]) => name);
      const [, volume = ""] = /volumes: \["([\w-]+):\/keys:ro"/.exec(own) ?? [];
      expect([service.name, own.includes("*keys")]).toEqual([service.name, files.length > 0]);
      expect([service.name, volume === ""]).toEqual([service.name, files.length === 0]);
      const [, folder = ""] = new RegExp(`- ${volume}:(\\S+)`).exec(made) ?? [];
      const { issuer } = service;
      for (const file of files) {
        const argument = issuer === undefined ? `${folder}/${file}` : `${issuer.name}=${folder}/${file}`;
        expect(made.split(/\s+/)).toContain(argument);
      }
    }
    const volumes = [...file.matchAll(/- ([\w-]+):\/keys\/|"([\w-]+):\/keys:ro"/g)].map(([, a, b]) => a ?? b);
    expect(new Set(volumes).size * 2).toBe(volumes.length);
  });

  it("makes the Redis users first, and shows each password to its service alone", () => {
    const made = blocks.get("redis-users") ?? "";
    expect(blocks.get("redis")).toContain("redis-users: { condition: service_completed_successfully }");
    // An upgrade that needs other rights leaves Redis running.
    expect(made).toMatch(/redis-cli .*ACL LOAD/);
    for (const service of SERVICES) {
      const own = blocks.get(service.name) ?? "";
      const user = userOf(service);
      const usesRedis = service.redis !== "none";
      const mounted = [...own.matchAll(/"([\w-]+):\/redis:ro"/g)].map(([, volume]) => volume);
      expect([service.name, mounted]).toEqual([service.name, usesRedis ? [`${user}-redis`] : []]);
      expect(made.includes(`- ${user}-redis:/passwords/${user}\n`)).toBe(usesRedis);
      expect(/chown -R 1000 (.*)/.exec(made)?.[1]?.split(" ").includes(`/passwords/${user}`)).toBe(usesRedis);
    }
  });

  it.each(SERVICES)("runs $name as the table says", (service) => {
    const { name, port, redis, needsVenue, replicated } = service;
    const own = blocks.get(name) ?? "";
    expect(own).toContain(
      `build: { context: ., args: { SERVICE: ${name}, PORT: ${port}, COMMIT: *commit } }`,
    );
    expect(own).toMatch(
      new RegExp(`ports: \\["127\\.0\\.0\\.1:${replicated ? String.raw`\d+0-\d+9` : port}:${port}"\\]`),
    );
    const depends = whole(/depends_on:(.*\n(?: {6}.*\n)*)/.exec(own)?.[1] ?? "");
    const waitsFor = [...depends.matchAll(/([\w-]+): \{ condition: service_healthy \}/g)].map(
      ([, to = ""]) => to,
    );
    expect(waitsFor.toSorted()).toEqual(needed(service, { redis, needsVenue }).toSorted());
  });

  it.each(SERVICES)(
    "starts $name by default, unless plans do not need its permit by default",
    ({ name, issuer }) => {
      const isOptional = /^ {4}profiles: /m.test(blocks.get(name) ?? "");
      expect(isOptional).toBe(issuer?.required === false);
    },
  );

  it("gives each container of a service that keeps state a volume of its own", () => {
    for (const { name, stateVariable } of SERVICES)
      expect([name, /volumes: \[.*"\/state"\]/.test(blocks.get(name) ?? "")]).toEqual([
        name,
        stateVariable !== undefined,
      ]);
  });

  it("keeps the simulated account as long as Redis's data", () => {
    expect(blocks.get("exchange-sim")).toContain('volumes: ["exchange-sim-account:/state"]');
    expect(file).toMatch(/^volumes:\n {2}redis-data:\n {2}exchange-sim-account:\n/m);
  });

  it.each(SERVICES)("gives $name the environment of a demonstration", (service) => {
    const text = whole(/environment:(.*\n(?: {6}.*\n)*)/.exec(blocks.get(service.name) ?? "")?.[1] ?? "");
    const given = [...text.matchAll(/^ *([A-Z][A-Z0-9_]+): "?([^"\n]+)"?$/gm)].map(
      ([, variable = "", value = ""]): [string, string] => [
        variable,
        value.startsWith("*") ? (anchors.get(value.slice(1)) ?? "") : value,
      ],
    );
    // What comes from the caller's shell is unset by default.
    const own = given.filter(([, value]) => !/^\$\{\w+:-\}$/.test(value));
    const { BINANCE_BASE_URL, ...expected } = demonstrationOf(service, {
      redisUrl: `redis://${userOf(service)}@redis:6379/0`,
      venueUrl: "http://exchange-sim:8099",
      symbols: DEFAULT_MARKET.map(({ symbol }) => symbol),
      keysFolder: "/keys",
      stateFolder: "/state",
    });
    expect(Object.fromEntries(own)).toEqual({
      ...expected,
      ...(service.name === "exchange-sim" && { EXCHANGE_SIM_STATE: "/state/account.jsonl" }),
      ...(service.redis !== "none" && { REDIS_PASSWORD_FILE: "/redis/password" }),
      // Who neither speaks to the venue nor signs needs its name for simulations only.
      ...((service.needsVenue || service.issuer !== undefined) && { BINANCE_BASE_URL }),
    });
  });
});

/** Whom a service waits for before it starts. */
function needed({ name }: Service, { redis, needsVenue }: Pick<Service, "redis" | "needsVenue">): string[] {
  return [
    ...(redis === "none" ? [] : ["redis"]),
    ...(needsVenue ? ["exchange-sim"] : []),
    // The first proposals find everyone ready.
    ...(name === "harvest-feed" ? PIPELINE.map((service) => service.name) : []),
  ];
}
