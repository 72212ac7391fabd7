import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, constantFrom, integer as anyInteger, property, string } from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import {
  choice,
  ConfigError,
  type ConfigSource,
  describeConfig,
  flag,
  integer,
  list,
  logLevel,
  number,
  optionalText,
  port,
  readConfig,
  symbols,
  text,
} from "./config.ts";
import { commonVariables } from "./service-config.ts";
import { redisRelations, redisUrl, redisVariable, redisVariables } from "./redis-config.ts";

const source = {
  schema: z.object({
    GOV_MAX: integer("a whole number", 3, { min: 1, max: 10 }),
    GOV_RATE: number("a number", 0.5, { max: 1 }),
    GOV_ENABLE: flag("yes or no", true),
    GOV_SYMBOLS: symbols("symbols", "BTCUSDT,ETHUSDT"),
    GOV_ISSUERS: list("names", "governor,p33"),
    GOV_MODE: choice("mode", ["dry_run", "testnet"], "dry_run"),
    GOV_LOG_LEVEL: logLevel(),
    GOV_NOTE: optionalText("a note"),
    GOV_API_SECRET: text("secret", "none"),
    GOV_PORT: port("its port", 8044),
  }),
  ownPrefixes: ["GOV_"],
  retired: ["GOV_OLD"],
} satisfies ConfigSource<z.ZodObject>;

const read = (environment: Record<string, string>) => readConfig(source, environment).config;

function violations(environment: Record<string, string>, of: ConfigSource<z.ZodObject> = source) {
  try {
    readConfig(of, environment);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.violations;
    throw error;
  }
}

describe("readConfig", () => {
  it("takes defaults for what is unset or empty, and ignores what is not ours", () => {
    const defaults = read({ PATH: "/bin", HOME: "", GOVERNOR: "1", GOV_MAX: "", GOV_SYMBOLS: "" });
    expect(defaults).toEqual({
      GOV_MAX: 3,
      GOV_RATE: 0.5,
      GOV_ENABLE: true,
      GOV_SYMBOLS: ["BTCUSDT", "ETHUSDT"],
      GOV_ISSUERS: ["governor", "p33"],
      GOV_MODE: "dry_run",
      GOV_LOG_LEVEL: "info",
      GOV_API_SECRET: "none",
      GOV_PORT: 8044,
    });
    expect(readConfig(source, { GOV_MAX: undefined }).config.GOV_MAX).toBe(3);
  });

  it("reports every violation at once, each with variable, value and rule", () => {
    expect(
      violations({ GOV_MAX: "11", GOV_RATE: "2", GOV_ENABLE: "maybe", GOV_MODE: "live", GOV_TYPO_HERE: "1" }),
    ).toEqual([
      "GOV_TYPO_HERE is not a variable of this service",
      'GOV_MAX="11": must be a whole number from 1 to 10',
      'GOV_RATE="2": must be a number from 0 to 1',
      'GOV_ENABLE="maybe": must be true or false',
      'GOV_MODE="live": must be one of dry_run, testnet',
    ]);
  });

  it("says which required variable is missing, an empty one too", () => {
    const required = { schema: z.object({ BINANCE_BASE_URL: text("venue") }), ownPrefixes: [] };
    expect(violations({}, required)).toEqual(["BINANCE_BASE_URL: is required"]);
    expect(violations({ BINANCE_BASE_URL: "" }, required)).toEqual(["BINANCE_BASE_URL: is required"]);
  });

  it("never shows a secret", () => {
    const secret = z.string().regex(/^$/, "is refused").optional();
    const names = ["BINANCE_TESTNET_API_KEY", "BINANCE_TESTNET_API_SECRET", "REDIS_PASSWORD", "REDIS_URL"];
    const schema = z.object(Object.fromEntries(names.map((name) => [name, secret])));
    const environment = Object.fromEntries(names.map((name) => [name, "hunter2"]));
    expect(violations(environment, { schema, ownPrefixes: [] })).toEqual(
      names.map((name) => `${name}=(hidden): is refused`),
    );
    expect(violations({ GOV_API_SECRETT: "hunter2" }).join()).not.toContain("hunter2");
    const endpoint = { schema: z.object({ OTEL_EXPORTER_OTLP_ENDPOINT: secret }), ownPrefixes: [] };
    for (const url of ["ftp://ann:hunter2@example.com", "http://a,https://ann:hunter2@example.com"])
      expect(violations({ OTEL_EXPORTER_OTLP_ENDPOINT: url }, endpoint)).toEqual([
        "OTEL_EXPORTER_OTLP_ENDPOINT=(hidden): is refused",
      ]);
  });

  it("suggests the name that a misspelt one is near to", () => {
    expect(violations({ GOV_MX: "1" })).toEqual([
      "GOV_MX is not a variable of this service; did you mean GOV_MAX?",
    ]);
    expect(violations({ GOV_API_SERCET: "1" })[0]).toContain("did you mean GOV_API_SECRET?");
  });

  it("warns of what only the Python service knew, and stops nothing", () => {
    expect(readConfig(source, { GOV_OLD: "x" }).warnings).toEqual([
      "GOV_OLD was known to the Python service only and is ignored",
    ]);
  });

  it("checks relations when every variable is valid by itself, with the unknown names", () => {
    const related = { ...source, relations: () => ["GOV_MAX must be below GOV_RATE"] };
    expect(violations({ GOV_TYPO_HERE: "1" }, related)).toEqual([
      "GOV_TYPO_HERE is not a variable of this service",
      "GOV_MAX must be below GOV_RATE",
    ]);
    expect(violations({ GOV_MAX: "0" }, related)).toEqual([
      'GOV_MAX="0": must be a whole number from 1 to 10',
    ]);
  });
});

describe("the types of variables", () => {
  it.each(["1e1", "0x3", "3.0", "", " ", "-", "٣", "3;", "NaN", "Infinity", "99999999999999999999"])(
    "refuse %j as a whole number",
    (value) => {
      expect(violations({ GOV_MAX: value || " " })).toHaveLength(1);
    },
  );

  it("take every whole number within its bounds, and no other", () => {
    assert(
      property(anyInteger({ min: -20, max: 20 }), (value) => {
        const outcome = violations({ GOV_MAX: ` ${value} ` });
        expect(outcome).toHaveLength(value >= 1 && value <= 10 ? 0 : 1);
      }),
    );
  });

  it.each([
    ["0.25", 0.25],
    [" 1 ", 1],
    ["1e-3", 0.001],
  ])("take %j as a number", (value, parsed) => expect(read({ GOV_RATE: value }).GOV_RATE).toBe(parsed));

  it.each([" ", "NaN", "Infinity", "-0.1", "1.1", "half"])("refuse %j as a number from 0 to 1", (value) => {
    expect(violations({ GOV_RATE: value })).toHaveLength(1);
  });

  it("take Python's spellings of yes and no, and refuse every other word", () => {
    for (const yes of ["True", "true", "1", "YES", " on "])
      expect(read({ GOV_ENABLE: yes }).GOV_ENABLE).toBe(true);
    for (const no of ["False", "false", "0", "No", "off"])
      expect(read({ GOV_ENABLE: no }).GOV_ENABLE).toBe(false);
    const known = /^\s*(true|1|yes|on|false|0|no|off)\s*$/i;
    assert(
      property(string({ minLength: 1 }), (word) => {
        expect(violations({ GOV_ENABLE: word })).toHaveLength(known.test(word) ? 0 : 1);
      }),
      { examples: [["constructor"], ["__proto__"], ["tostring"], ["2"]] },
    );
  });

  it("split lists on commas, trim them, and refuse an empty one", () => {
    expect(read({ GOV_SYMBOLS: " BTCUSDT , ETHUSDT,, " }).GOV_SYMBOLS).toEqual(["BTCUSDT", "ETHUSDT"]);
    expect(violations({ GOV_SYMBOLS: " , " })).toHaveLength(1);
    expect(violations({ GOV_SYMBOLS: "BTC-USDT" })).toHaveLength(1);
    expect(violations({ GOV_ISSUERS: "governor, p 33" })).toHaveLength(1);
  });

  it.each([
    ["DEBUG", "debug"],
    ["info", "info"],
    ["WARNING", "warn"],
    ["Warn", "warn"],
    ["CRITICAL", "fatal"],
    ["ERROR", "error"],
    [" trace ", "trace"],
  ])("take the log level %j, Python's and pino's", (value, level) =>
    expect(read({ GOV_LOG_LEVEL: value }).GOV_LOG_LEVEL).toBe(level),
  );

  it.each(["silent", "20", "constructor", "NOTSET"])("refuse the log level %j", (value) => {
    expect(violations({ GOV_LOG_LEVEL: value })).toHaveLength(1);
  });

  it("take a port, 0 for a free one", () => {
    expect(read({ GOV_PORT: "0" }).GOV_PORT).toBe(0);
    expect(violations({ GOV_PORT: "65536" })).toHaveLength(1);
    expect(violations({ GOV_PORT: "-1" })).toHaveLength(1);
  });

  it("take REDIS_URL before its parts, and refuse what is no Redis URL", () => {
    const redis = { schema: z.object({ ...redisVariables, ...commonVariables }), ownPrefixes: ["REDIS_"] };
    const url = (environment: Record<string, string>) => redisUrl(readConfig(redis, environment).config);
    expect(url({})).toBe("redis://localhost:6379/0");
    expect(url({ REDIS_HOST: "r", REDIS_PORT: "7000", REDIS_DB: "2" })).toBe("redis://r:7000/2");
    expect(url({ REDIS_URL: "rediss://u:p@h:1/3", REDIS_PORT: "7000" })).toBe("rediss://u:p@h:1/3");
    for (const refused of ["localhost:6379", "http://h", "redis://", "/tmp/redis.sock"])
      expect(violations({ REDIS_URL: refused }, redis)).toHaveLength(1);
  });

  it("take one partition, or up to 64", () => {
    const redis = { schema: z.object(redisVariables), ownPrefixes: ["REDIS_"] };
    expect(readConfig(redis, {}).config.PARTITIONS).toBe(1);
    expect(readConfig(redis, { PARTITIONS: "1" }).config.PARTITIONS).toBe(1);
    for (const refused of ["0", "65", "1.5", "six"])
      expect(violations({ PARTITIONS: refused }, redis)).toEqual([
        expect.stringContaining("must be a whole number from 1 to 64"),
      ]);
    expect(readConfig(redis, { PARTITIONS: "64" }).config.PARTITIONS).toBe(64);
  });

  it("take Sentinels and a cluster, which needs more than one partition", () => {
    const redis = { schema: z.object(redisVariables), ownPrefixes: ["REDIS_"] };
    const read = (environment: Record<string, string>) => {
      const { config } = readConfig(redis, environment);
      return redisRelations(config)[0] ?? redisUrl(config);
    };
    const [sentinel, cluster] = ["redis+sentinel://u@s1:1,s2:2/quantum/3", "redis+cluster://u@h1:1,h2:2"];
    expect(read({ REDIS_URL: sentinel })).toBe(sentinel);
    expect(read({ REDIS_URL: cluster, PARTITIONS: "2" })).toBe(cluster);
    expect(read({ REDIS_URL: cluster })).toMatch(
      /^PARTITIONS=1: a Redis Cluster runs a script only if all its keys lie in one slot/,
    );
    expect(violations({ REDIS_URL: "redis+sentinel://s1" }, redis)).toEqual([
      expect.stringContaining("(name: "),
    ]);
  });

  it("name what Redis complains about, for each kind of URL", () => {
    const named = (REDIS_URL: string) =>
      redisVariable({ REDIS_URL, REDIS_HOST: "h", REDIS_PORT: 1, REDIS_DB: 0 }, "database");
    expect(named("redis://h/3")).toBe("REDIS_URL (its database 3)");
    expect(named("redis+sentinel://s1,s2/quantum/3")).toBe("REDIS_URL (its database 3)");
    expect(named("redis+cluster://h1,h2")).toBe("REDIS_URL");
  });

  it("take the password of the URL's user from a file", () => {
    const folder = mkdtempSync(join(tmpdir(), "quantum-password-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "password");
    const url = (REDIS_URL?: string, path = file) =>
      redisUrl({ REDIS_URL, REDIS_PASSWORD_FILE: path, REDIS_HOST: "h", REDIS_PORT: 1, REDIS_DB: 0 });
    writeFileSync(file, "p/a s%\n");
    expect(url("redis://governor@r:7000/2")).toBe("redis://governor:p%2Fa%20s%25@r:7000/2");
    for (const incomplete of [undefined, "redis://r", "redis://governor:other@r"])
      expect(() => url(incomplete)).toThrow("REDIS_URL must name the user, without a password");
    expect(() => url("redis://governor@r", join(folder, "none"))).toThrow("ENOENT");
    expect(url("redis+sentinel://governor@s1:1,s2:2/quantum")).toBe(
      "redis+sentinel://governor:p%2Fa%20s%25@s1:1,s2:2/quantum",
    );
    expect(url("redis+cluster://governor@h1:1,h2:2")).toBe("redis+cluster://governor:p%2Fa%20s%25@h1:1,h2:2");
    const ofSentinels = (REDIS_URL?: string) =>
      redisUrl({
        REDIS_URL,
        REDIS_SENTINEL_PASSWORD_FILE: file,
        REDIS_HOST: "h",
        REDIS_PORT: 1,
        REDIS_DB: 0,
      });
    expect(ofSentinels("redis+sentinel://u:p@s1:1/quantum?sentinel_user=guard")).toBe(
      "redis+sentinel://u:p@s1:1/quantum?sentinel_user=guard&sentinel_password=p%2Fa%20s%25",
    );
    for (const other of [undefined, "redis://r", "redis+sentinel://s1/quantum?sentinel_password=x"])
      expect(() => ofSentinels(other)).toThrow(
        "REDIS_URL must be redis+sentinel://…, without sentinel_password",
      );
    writeFileSync(file, "\n");
    expect(() => url("redis://governor@r")).toThrow("the file is empty");
  });
});

describe("describeConfig", () => {
  it("names every variable with its meaning and its default, which is valid", () => {
    const help = describeConfig(source);
    for (const name of Object.keys(source.schema.shape))
      expect(help).toMatch(new RegExp(`^  ${name}\n      \\S`, "m"));
    assert(
      property(
        constantFrom("GOV_MAX", "GOV_RATE", "GOV_ENABLE", "GOV_SYMBOLS", "GOV_LOG_LEVEL", "GOV_PORT"),
        (name) => {
          const shown = new RegExp(`^  ${name}\n.*\\[(.*)\\]$`, "m").exec(help)?.[1] ?? "";
          expect(read({ [name]: shown })).toEqual(read({}));
        },
      ),
    );
  });
});
