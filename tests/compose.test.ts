/** docker-compose.yml and .env.example: written by hand, and compared here with packages/topology and with each other. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { DEFAULT_MARKET } from "@quantum/exchange-sim";
import { demonstrationOf, keyVariablesOf, PIPELINE, type Service, SERVICES, userOf } from "@quantum/topology";
import { describe, expect, it } from "vitest";
import { publishedPorts } from "../scripts/compose/ports.ts";

const ROOT = join(import.meta.dirname, "..");

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
    expect(ours.toSorted()).toEqual([...SERVICES.map(({ name }) => name), "keys", "permitctl"].toSorted());
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
    expect(made).toContain('sh /ops/make-users.sh "$${PARTITIONS}" /users/users.acl /passwords');
    // An upgrade that needs other rights leaves Redis running.
    expect(made).toMatch(/redis-cli .*ACL LOAD/);
    for (const service of SERVICES.filter(({ watches }) => watches !== true)) {
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
    const { name, port, redis, needsVenue } = service;
    const own = blocks.get(name) ?? "";
    expect(own).toContain(`build: { context: ., args: { <<: *build, SERVICE: ${name}, PORT: ${port} } }`);
    expect(own).toContain(`ports: ["127.0.0.1:\${${portSetting(name)}:-${port}}:${port}"]`);
    const depends = whole(/depends_on:(.*\n(?: {6}.*\n)*)/.exec(own)?.[1] ?? "");
    const waitsFor = [...depends.matchAll(/([\w-]+): \{ condition: service_healthy \}/g)].map(
      ([, to = ""]) => to,
    );
    expect(waitsFor.toSorted()).toEqual(needed(service, { redis, needsVenue }).toSorted());
  });

  it("publishes every port under a setting with the service's name", () => {
    for (const { service, variable } of publishedPorts(file, {})) {
      expect([service, variable]).toEqual([service, portSetting(service)]);
    }
    // Every port that it publishes is found.
    expect(publishedPorts(file, {})).toHaveLength(file.match(/^ {4}ports:/gm)?.length ?? 0);
  });

  it("has a health check for everything that goes on", () => {
    const [, image = ""] =
      /^HEALTHCHECK (.+?) CMD/m.exec(readFileSync(join(ROOT, "Dockerfile"), "utf8")) ?? [];
    const shared = anchors
      .get("check")
      ?.replaceAll(/ *(\w+): (\w+)\n?/g, "--$1=$2 ")
      .replaceAll("_", "-");
    expect(shared?.trim()).toBe(image);
    for (const [name, text] of blocks) {
      const ends = text.includes('restart: "no"');
      const ours = text.includes("build:");
      const own = text.includes("healthcheck:");
      // Our images have one; a container of theirs that ends has none.
      expect([name, own]).toEqual([name, ends === ours]);
      expect([name, text.includes("healthcheck: { disable: true }")]).toEqual([name, ends && ours]);
    }
  });

  it.each(SERVICES)("starts $name by default, unless plans do not need it", ({ name, issuer, watches }) => {
    const isOptional = /^ {4}profiles: /m.test(blocks.get(name) ?? "");
    expect(isOptional).toBe(issuer?.required === false || watches === true);
  });

  it("gives permitctl and the console the passwords of those who look and who operate, and nobody else", () => {
    const made = blocks.get("redis-users") ?? "";
    for (const user of ["viewer", "operator"])
      expect(made).toMatch(new RegExp(`cp /passwords/${user}/password /operators/${user}\\s`));
    for (const [name, users] of [
      ["permitctl", "console-users:/state"],
      ["console", "console-users:/state:ro"],
    ] as const)
      expect(blocks.get(name)).toContain(`volumes: ["operator-redis:/redis:ro", "${users}"]`);
    expect(blocks.get("permitctl")).toContain("PERMITCTL_URLS: *urls\n");
    expect(file.match(/operator-redis:\//g)).toHaveLength(3);
  });

  it("tells everybody on Redis, and who makes its users, the same number of partitions", () => {
    const told = [...blocks].flatMap(([name, text]) =>
      /^ {6}PARTITIONS: \$\{PARTITIONS:-1\}$/m.test(text) || text.includes("*environment") ? [name] : [],
    );
    const onRedis = SERVICES.filter(({ redis }) => redis !== "none").map(({ name }) => name);
    expect(told.toSorted()).toEqual([...onRedis, "permitctl", "redis-users"].toSorted());
    expect(anchors.get("environment")).toContain("\n  PARTITIONS: ${PARTITIONS:-1}");
  });

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
      ...(service.redis !== "none" && {
        REDIS_PASSWORD_FILE: "/redis/password",
        PARTITIONS: "${PARTITIONS:-1}",
      }),
      ...(service.name === "console" && CONSOLE),
      // Who neither speaks to the venue nor signs needs its name for simulations only.
      ...((service.needsVenue || service.issuer !== undefined) && { BINANCE_BASE_URL }),
    });
  });
});

describe(".env.example", () => {
  const compose = readFileSync(join(ROOT, "docker-compose.yml"), "utf8");
  const settings = parseEnv(readFileSync(join(ROOT, ".env.example"), "utf8"));

  it("has every setting of docker-compose.yml with its default, and no other", () => {
    const {
      COMPOSE_PROJECT_NAME: project,
      COMPOSE_PROFILES: profiles = "",
      ...own
    } = settings as Record<string, string>;
    const used = [...compose.matchAll(/\$\{(\w+):-([^}]*)\}/g)].map(([, variable = "", value = ""]) => [
      variable,
      value,
    ]);
    // Another one with each build, and so the shell's.
    const expected = new Map(used.filter(([variable]) => variable !== "COMMIT") as [string, string][]);
    expect(own).toEqual(Object.fromEntries(expected));
    // A setting that occurs twice has one default.
    expect(new Set(used.map(String)).size).toBe(new Set(used.map(([variable]) => variable)).size);
    expect(project).toBe("quantum");
    const known = new Set(
      [...compose.matchAll(/^ {4}profiles: \[([\w-]+)\]$/gm)].map(([, profile]) => profile),
    );
    for (const profile of profiles.split(",")) expect(known).toContain(profile);
  });

  it("names the base image of our own as the Dockerfile does", () => {
    const [, image] = /^ARG NODE_IMAGE=(\S+)$/m.exec(readFileSync(join(ROOT, "Dockerfile"), "utf8")) ?? [];
    expect(settings["IMAGE_NODE"]).toBe(image);
  });

  it("is not what compose reads: .env is the operator's own, and not committed", () => {
    expect(readFileSync(join(ROOT, ".gitignore"), "utf8").split("\n")).toContain(".env");
  });
});

/** It has copies of the passwords of those who look and who operate, and the file of its users. */
const CONSOLE = {
  REDIS_PASSWORD_FILE: "/redis/viewer",
  CONSOLE_OPERATOR_REDIS_URL: "redis://operator@redis:6379/0",
  CONSOLE_OPERATOR_REDIS_PASSWORD_FILE: "/redis/operator",
  CONSOLE_USERS_FILE: "/state/users.json",
  CONSOLE_SERVICE_URLS: PIPELINE.map(({ name, port }) => `http://${name}:${port}`).join(),
  CONSOLE_ORIGINS: "http://127.0.0.1:${PORT_CONSOLE:-8050},http://localhost:${PORT_CONSOLE:-8050}",
};

/** The setting that changes the port at which this machine has a service. */
function portSetting(service: string): string {
  return `PORT_${service.toUpperCase().replaceAll("-", "_")}`;
}

/** Whom a service waits for before it starts. */
function needed({ name }: Service, { redis, needsVenue }: Pick<Service, "redis" | "needsVenue">): string[] {
  return [
    ...(redis === "none" ? [] : ["redis"]),
    ...(needsVenue ? ["exchange-sim"] : []),
    // The first proposals find everyone ready.
    ...(name === "harvest-feed" ? PIPELINE.map((service) => service.name) : []),
  ];
}
