import { describe, expect, it } from "vitest";
import { parseRedisUrl, RedisUrlError, withoutCredentials, withoutPasswords, writeRedisUrl } from "./url.ts";

const NOBODY = { tls: false, user: undefined, password: undefined, family: undefined };

function violationsOf(text: string): readonly string[] {
  try {
    parseRedisUrl(text);
  } catch (error) {
    if (error instanceof RedisUrlError) return error.violations;
    throw error;
  }
  return [];
}

describe("a URL of Redis", () => {
  it("names a server, by default at port 6379 and database 0", () => {
    const address = { host: "redis.internal", port: 6379 };
    const expected = { kind: "server", ...NOBODY, address, database: 0 };
    expect(parseRedisUrl("redis://redis.internal")).toEqual(expected);
    expect(parseRedisUrl("redis://redis.internal/")).toEqual(expected);
    expect(parseRedisUrl("rediss://apply:p%40ss%2F@[::1]:6380/5?family=6")).toEqual({
      kind: "server",
      tls: true,
      user: "apply",
      password: "p@ss/",
      family: 6,
      address: { host: "::1", port: 6380 },
      database: 5,
    });
    expect(parseRedisUrl("redis://:secret@127.0.0.1")).toMatchObject({ user: undefined, password: "secret" });
  });

  it("names a master as its Sentinels know it, and the Sentinels' own user", () => {
    expect(
      parseRedisUrl(
        "rediss+sentinel://apply@s1,s2:26380,[fe80::1]:1/quantum-1/2?sentinel_user=guard&sentinel_password=a%26b%3D+",
      ),
    ).toEqual({
      ...NOBODY,
      kind: "sentinel",
      tls: true,
      user: "apply",
      sentinels: [
        { host: "s1", port: 26_379 },
        { host: "s2", port: 26_380 },
        { host: "fe80::1", port: 1 },
      ],
      name: "quantum-1",
      database: 2,
      sentinelUser: "guard",
      sentinelPassword: "a&b=+",
    });
  });

  it("names a cluster by some of its nodes", () => {
    expect(parseRedisUrl("redis+cluster://apply:secret@n1:7000,n2")).toEqual({
      ...NOBODY,
      kind: "cluster",
      user: "apply",
      password: "secret",
      nodes: [
        { host: "n1", port: 7000 },
        { host: "n2", port: 6379 },
      ],
    });
  });

  it.each([
    "redis://redis.internal:6379",
    "rediss://:p%40ss%2F%3F%23%2C@[::1]:6380/5?family=6",
    "redis+sentinel://apply:a%3Ab@s1:26379,s2:26380/quantum/2?sentinel_user=guard&sentinel_password=a%26b%2B",
    "rediss+sentinel://s1:1/quantum",
    "redis+cluster://apply@n1:7000,[::1]:7001?family=4",
  ])("is written as it was read: %s", (text) => {
    expect(writeRedisUrl(parseRedisUrl(text))).toBe(text);
  });

  it("hides its passwords from people, and nothing else", () => {
    expect(withoutPasswords("redis://apply:secret@h:1/3")).toBe("redis://apply:***@h:1/3");
    expect(withoutPasswords("redis://apply@h:1")).toBe("redis://apply@h:1");
    expect(withoutPasswords("redis+sentinel://s:1/name?sentinel_password=secret")).toBe(
      "redis+sentinel://s:1/name?sentinel_password=***",
    );
  });

  it("is shown without its users, too, however their passwords are written", () => {
    expect(withoutCredentials("redis://apply:se@cret@h:1/3")).toBe("redis://h:1/3");
    expect(withoutCredentials("redis+sentinel://u:p@s:1/name?sentinel_user=a&sentinel_password=b")).toBe(
      "redis+sentinel://s:1/name",
    );
  });
});

describe("a URL that is wrong", () => {
  it.each([
    ["http://h", "scheme: must be redis or rediss"],
    ["h:6379", "scheme: must be redis or rediss"],
    ["redis://h#1", "fragment: a Redis URL has none"],
    ["redis://", "host: is missing"],
    ["redis://:6379", "host: is missing"],
    ["redis://a b", "host: is no name and no IP address (IPv6 in brackets)"],
    ["redis://[::g]", "host: is no name and no IP address (IPv6 in brackets)"],
    ["redis://::1", "host: is missing"],
    ["redis://a,b", "host: several need redis+sentinel:// or redis+cluster://"],
    ["redis+cluster://a,,b", "host of address 2: is missing"],
    ["redis://h:0", "port: must be a number from 1 to 65535"],
    ["redis://h:65536", "port: must be a number from 1 to 65535"],
    ["redis://h:", "port: must be a number from 1 to 65535"],
    ["redis+sentinel://a,b:x/n", "port of address 2: must be a number from 1 to 65535"],
    ["redis://h/five", "database: must be a number from 0 to 9999"],
    ["redis://h/1/2", "database: must be a number from 0 to 9999"],
    ["redis+sentinel://h/n/five", "database: must be a number from 0 to 9999"],
    ["redis+sentinel://h/n/1/2", "database: must be a number from 0 to 9999"],
    ["redis+cluster://h/1", "database: a cluster has none"],
    ["redis+sentinel://h", "name: the master's name is missing: …/name or …/name/database"],
    ["redis+sentinel://h//1", "name: the master's name is missing: …/name or …/name/database"],
    ["redis+sentinel://h/a%20b", "name: may have letters, digits and . - _"],
    ["redis://h?db=1", "query: may have family"],
    ["redis://h?family=5", "query: family must be 4 or 6"],
    ["redis://h?family=4&family=6", "query: family is there twice"],
    ["redis+cluster://h?sentinel_user=u", "query: may have family"],
    ["redis://u%:p@h", "user: has a % that begins no percent-encoding"],
    ["redis://u:p%zz@h", "password: has a % that begins no percent-encoding"],
  ])("says which part of it is: %s", (text, violation) => {
    expect(violationsOf(text)).toContain(violation);
  });

  it("says everything that is wrong at once", () => {
    expect(violationsOf("redis+sentinel://a:0,b b/n!/x?q=1").map((text) => text.split(":")[0])).toEqual([
      "port of address 1",
      "host of address 2",
      "query",
      "name",
      "database",
    ]);
  });

  it.each([
    "redis://u:sec/ret@h/0",
    "redis://u:sec?ret@h",
    "redis+sentinel://u:sec#ret@h/n",
    "redis://u:s%ret@h",
  ])("repeats no part of a password that was not percent-encoded: %s", (text) => {
    expect(violationsOf(text)).not.toEqual([]);
    expect(violationsOf(text).join()).not.toMatch(/sec|ret\b/);
  });
});
