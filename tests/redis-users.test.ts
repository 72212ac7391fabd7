/** Each Redis user can do what the table of access.ts says, and nothing else: on a real Redis, command by command. */
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  accessOf,
  commandLine,
  commandsOf,
  createKeys,
  DEFAULT_USER_OFF,
  exampleOf,
  FAMILIES,
  neededCommands,
  REDIS_USERS,
  renderUsers,
  type Right,
  RIGHT_NAMES,
} from "@quantum/contract";
import { shellWord, startRedisServer, startService, type TestRedis, urlOfUser } from "@quantum/harness";
import { connectForCommands, disconnect, missingRights, type RedisClient } from "@quantum/redis";
import { SERVICES, userOf } from "@quantum/topology";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

const keys = createKeys();
const ISSUERS = SERVICES.flatMap(({ issuer }) => (issuer === undefined ? [] : [issuer.name]));
const PLAN = "00000000000000aa";
// Globs match bytes, of letters of any script too.
const SYMBOL = "币安人生USDT";
const USERS = REDIS_USERS.filter((user) => user !== "admin");

let redis: TestRedis;
const clients = new Map<string, RedisClient>();
beforeAll(async () => {
  redis = await startRedisServer();
  for (const user of REDIS_USERS) {
    const client = connectForCommands({
      url: urlOfUser(redis.url, user),
      name: user,
      onError: () => undefined,
    });
    clients.set(user, client);
  }
});
afterAll(async () => {
  await Promise.all([...clients.values()].map(disconnect));
  await redis.stop();
});

function as(user: string): RedisClient {
  const client = clients.get(user);
  if (client === undefined) throw new Error(`no user ${user}`);
  return client;
}

/** Real keys of every family: each issuer's own where a key names one. */
const INSTANCES: readonly string[] = [
  ...new Set(
    FAMILIES.flatMap(({ patterns }) => [
      ...patterns().map(exampleOf),
      ...ISSUERS.flatMap((issuer) => patterns(issuer)),
    ]),
  ),
].map((pattern) =>
  pattern.endsWith(":*") ? pattern.replace(/\*$/, SYMBOL) : pattern.replaceAll("[0-9a-f]", "a"),
);

/** By a glob as Redis matches it. */
function fits(key: string, pattern: string): boolean {
  return new RegExp(`^${pattern.replaceAll("*", ".*")}$`).test(key);
}

/** What Redis answers when the commands are queued: it checks rights then, and DISCARD runs none of them. */
async function refusals(user: string, lines: readonly string[][]): Promise<Map<string, string>> {
  const client = as(user);
  const ask = (line: readonly string[]) => client.call(line[0] ?? "", ...line.slice(1));
  const answers = await Promise.allSettled([ask(["multi"]), ...lines.map(ask), ask(["discard"])]);
  const refused = new Map<string, string>();
  for (const [index, line] of lines.entries()) {
    const answer = answers[index + 1];
    if (answer?.status === "rejected") refused.set(line.join(" "), (answer.reason as Error).message);
  }
  return refused;
}

interface Case {
  line: string[];
  allowed: boolean;
}

function casesOf(user: string): Case[] {
  const access = accessOf(user);
  const may = (command: string, key: string) =>
    [...access].some(
      ([right, patterns]) =>
        commandsOf(right).includes(command) && patterns.some((pattern) => fits(key, pattern)),
    );
  const commands = new Map<string, Right>(
    RIGHT_NAMES.flatMap((right) => commandsOf(right).map((command): [string, Right] => [command, right])),
  );
  return INSTANCES.flatMap((key) =>
    [...commands].map(([command, right]) => ({
      line: commandLine(right, command, key),
      allowed: may(command, key),
    })),
  );
}

describe("ops/redis/users.acl", () => {
  it.each([
    ["users.acl", 1],
    ["users.partitions.acl", 2],
    ["users.partitions.acl", 64],
  ])("is fresh: %s, for %i", (name, partitions) => {
    const found = readFileSync(join(import.meta.dirname, "../ops/redis", name), "utf8");
    expect(found, "run `pnpm run docs`").toBe(renderUsers(undefined, undefined, partitions));
  });

  it("has a user for each service on Redis", () => {
    for (const row of SERVICES.filter(({ redis: uses }) => uses !== "none"))
      expect(REDIS_USERS).toContain(userOf(row));
  });
});

describe("the matrix of users, keys and commands", () => {
  // MULTI is needed to ask without changing anything; who lacks it gets it for this test alone.
  beforeAll(async () => {
    for (const user of USERS) {
      const admin = as("admin");
      await admin.acl("SETUSER", user, "+multi", "+discard");
    }
  });

  it.each(USERS)("%s may do what its rows say, and for all else Redis says NOPERM", async (user) => {
    const cases = casesOf(user);
    const refused = await refusals(
      user,
      cases.map(({ line }) => line),
    );
    const odd = cases.filter(({ line, allowed }) => {
      const why = refused.get(line.join(" "));
      return allowed ? why !== undefined : !why?.startsWith("NOPERM");
    });
    expect(odd.map(({ line, allowed }) => `${line.join(" ")}: ${allowed ? "refused" : "allowed"}`)).toEqual(
      [],
    );
    expect(cases.some(({ allowed }) => !allowed)).toBe(true);
  });

  it.each(USERS)("%s may do nothing to Redis itself, and to no key that is not ours", async (user) => {
    const lines = [
      ["acl", "setuser", user, "allcommands"],
      ["acl", "list"],
      ["config", "set", "appendonly", "no"],
      ["flushall"],
      ["flushdb"],
      ["keys", "*"],
      ["script", "flush"],
      ["script", "load", "return 1"],
      ["function", "list"],
      ["replicaof", "no", "one"],
      ["swapdb", "0", "1"],
      ["publish", "channel", "text"],
      ["rename", keys.killSwitch, "away"],
      ["copy", keys.killSwitch, "away"],
      ["restore", keys.permit("governor", PLAN), "0", "x"],
      ["get", "foreign"],
      ["set", "foreign", "1"],
      ["setex", keys.killSwitch, "1", "0"],
      ["getdel", keys.killSwitch],
      ["getex", keys.killSwitch, "PX", "1"],
      ["unlink", keys.order(PLAN)],
      ["xsetid", keys.streams.execute, "1-1"],
    ];
    const refused = await refusals(user, lines);
    expect([...refused].filter(([, why]) => !why.startsWith("NOPERM"))).toEqual([]);
    expect(refused.size).toBe(lines.length);
    // MULTI does not take these.
    await expect(as(user).call("shutdown")).rejects.toThrow(/^NOPERM/);
    await expect(as(user).call("monitor")).rejects.toThrow(/^NOPERM/);
    await expect(as(user).call("save")).rejects.toThrow(/^NOPERM/);
  });
});

describe("what no rows of the table may ever say", () => {
  /** The users who may. */
  const able = async (line: string[]) => {
    const refused = await Promise.all(USERS.map((user) => refusals(user, [line])));
    return USERS.filter((_, index) => refused[index]?.size === 0);
  };

  it.each(ISSUERS)("a permit of %s is written by nobody else", async (issuer) => {
    expect(await able(["set", keys.permit(issuer, PLAN), "{}"])).toEqual([issuer]);
    expect(await able(["hset", keys.reservations(issuer, SYMBOL).totals, "f", "1"])).toEqual([issuer]);
  });

  it("apply.execute is appended by the apply-layer and the operator alone", async () => {
    expect(await able(["xadd", keys.streams.execute, "*", "f", "v"])).toEqual(["apply-layer", "operator"]);
  });

  it("`spent` is written by the apply-layer and the operator alone", async () => {
    expect(await able(["set", keys.spent(PLAN), "OK"])).toEqual(["apply-layer", "operator"]);
  });

  it("a claim is made and deleted by the executor alone", async () => {
    expect(await able(["del", keys.order(PLAN)])).toEqual(["executor"]);
    expect(await able(["expire", keys.order(PLAN), "1"])).toEqual(["executor"]);
    expect(await able(["hdel", keys.order(PLAN), "state"])).toEqual(["executor"]);
    // It states what became of an order in doubt.
    expect(await able(["hset", keys.order(PLAN), "f", "v"])).toEqual(["executor", "operator"]);
    expect(await able(["hset", keys.orderOwner, "f", "v"])).toEqual(["executor"]);
  });

  it("the kill switch is set by the operator alone, and appended to by `halt`", async () => {
    expect(await able(["set", keys.killSwitch, "1"])).toEqual(["operator"]);
    expect(await able(["del", keys.killSwitch])).toEqual(["operator"]);
    expect(await able(["expire", keys.killSwitch, "1"])).toEqual(["operator"]);
    expect(await able(["append", keys.killSwitch, "1"])).toEqual(["halt"]);
  });
});

describe("a service", () => {
  it.each(SERVICES.filter(({ redis: uses, watches }) => uses !== "none" && watches !== true))(
    "finds all rights that $name needs, and misses those of another user",
    async (row) => {
      const needed = neededCommands(row.name);
      expect(needed.length).toBeGreaterThan(10);
      expect(await missingRights(as(userOf(row)), needed)).toEqual([]);
      expect(await missingRights(as("admin"), needed)).toEqual([]);
      const [other] = USERS.filter((user) => user !== userOf(row));
      expect((await missingRights(as(other ?? ""), needed)).length).toBeGreaterThan(0);
    },
  );

  it("does not start without one of its rights, and says which", async () => {
    const acl = as("admin");
    await acl.acl("SETUSER", "lesser", "on", ">secret", "~*", "&*", "+@all", "-xgroup|setid");
    const start = startService("governor", {
      REDIS_URL: `redis://lesser:secret@127.0.0.1:${redis.port}`,
      METRICS_PORT: "0",
    });
    await expect(start).rejects.toThrow(/ended with 2 before it was ready[^]*xgroup setid quantum:stream:/);
  });
});

describe("the documents", () => {
  const read = (path: string) => readFileSync(join(import.meta.dirname, "..", path), "utf8");
  const lines = (path: string, begin: string) =>
    read(path)
      .split("\n")
      .filter((line) => line.startsWith(begin));

  /** Runs a line as it stands in a document, on this test's Redis. */
  async function run(line: string, user: string): Promise<string> {
    const folder = mkdtempSync(join(tmpdir(), "quantum-cli-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const cli = join(folder, "redis-cli");
    const real = shellWord(redis.binary.cli ?? "redis-cli");
    writeFileSync(cli, `#!/bin/sh\nexec ${real} -p ${redis.port} "$@"\n`, { mode: 0o755 });
    const password = new URL(urlOfUser(redis.url, user)).password;
    const env = { PATH: `${folder}:${process.env["PATH"]}`, REDISCLI_AUTH: password };
    return (await promisify(execFile)("sh", ["-c", line], { env })).stdout.trim();
  }

  it("print the line that halts, and it halts", async () => {
    const [line = ""] = lines("docs/operations.md", "redis-cli --user halt");
    expect(line).toBe("redis-cli --user halt APPEND quantum:global:kill_switch 1");
    await as("operator").set(keys.killSwitch, "0");
    expect(await run(line, "halt")).toBe("2");
    expect(await as("viewer").get(keys.killSwitch)).toBe("01");
    await as("operator").del(keys.killSwitch);
  });

  it("print the operators' reset, and it works under their user", async () => {
    const [line = ""] = lines("docs/operations.md", "redis-cli --user operator --scan");
    const reset = [
      keys.plan(PLAN),
      keys.dedupe(PLAN),
      keys.published(PLAN),
      keys.waiting(SYMBOL),
      keys.waitingSymbols,
    ];
    for (const key of [...reset, keys.spent(PLAN)]) await as("admin").set(key, "x");
    expect(await run(line, "operator")).toBe(String(reset.length));
    expect(await as("admin").exists(keys.spent(PLAN))).toBe(1);
    await as("admin").del(keys.spent(PLAN));
  });

  it("leave the default user every right, with which Redis replays transactions", async () => {
    const found = [
      ...lines("docs/migration.md", "user default"),
      ...lines("ops/redis/users.acl", "user default"),
    ];
    expect(found).toEqual(["user default on nopass ~* &* +@all", DEFAULT_USER_OFF]);
  });
});

describe("a default user that is off", () => {
  it("lets nobody in, and what a script wrote outlives Redis", async () => {
    const server = await startRedisServer({ appendonly: true, appendfsync: "always", defaultUser: false });
    onTestFinished(() => server.stop());
    const connect = (url: string) => {
      const client = connectForCommands({ url, name: "test", onError: () => undefined });
      onTestFinished(() => disconnect(client));
      return client;
    };
    await expect(connect(`redis://127.0.0.1:${server.port}`).ping()).rejects.toThrow(/NOAUTH/);
    const admin = connect(urlOfUser(server.url, "admin"));
    const [spent, record] = [keys.spent(PLAN), keys.plan(PLAN)];
    await admin.eval("redis.call('SET', KEYS[1], 1) redis.call('HSET', KEYS[2], 'a', 1)", 2, spent, record);
    await server.kill();
    await server.restart();
    expect(await connect(urlOfUser(server.url, "admin")).exists(spent, record)).toBe(2);
  });
});

describe.skipIf(process.platform !== "linux")("ops/redis/make-users.sh", () => {
  it("makes passwords once, and a file that Redis loads", async () => {
    const folder = mkdtempSync(join(tmpdir(), "quantum-users-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const ops = join(import.meta.dirname, "../ops/redis");
    const acl = join(folder, "users.acl");
    const make = () => promisify(execFile)("sh", [join(ops, "make-users.sh"), "1", acl, folder]);
    await make();
    const made = readFileSync(acl, "utf8");
    await make();
    expect(readFileSync(acl, "utf8")).toBe(made);
    expect(statSync(acl).mode & 0o777).toBe(0o600);
    const passwords = REDIS_USERS.map((user) => readFileSync(join(folder, user, "password"), "utf8"));
    expect(new Set(passwords).size).toBe(REDIS_USERS.length);
    for (const password of passwords) {
      expect(password).toMatch(/^[0-9a-f]{48}$/);
      expect(made).not.toContain(password);
    }
    const server = await startRedisServer({ config: { aclfile: acl } });
    onTestFinished(() => server.stop());
    const url = `redis://viewer:${passwords[REDIS_USERS.indexOf("viewer")]}@127.0.0.1:${server.port}`;
    const viewer = connectForCommands({ url, name: "viewer", onError: () => undefined });
    onTestFinished(() => disconnect(viewer));
    expect(await viewer.ping()).toBe("PONG");
    // The file of the repository has no passwords, so Redis refuses it.
    await expect(startRedisServer({ config: { aclfile: join(ops, "users.acl") } })).rejects.toThrow(/ACL/);
  });

  it.each([
    ["1", "users.acl"],
    ["2", "users.partitions.acl"],
    ["9", "users.partitions.acl"],
    ["10", "users.partitions.acl"],
    ["64", "users.partitions.acl"],
  ])(
    "gives the rights for PARTITIONS=%s, those of %s, under the same passwords",
    async (partitions, name) => {
      const folder = mkdtempSync(join(tmpdir(), "quantum-users-"));
      onTestFinished(() => rmSync(folder, { recursive: true }));
      const ops = join(import.meta.dirname, "../ops/redis");
      const acl = join(folder, "users.acl");
      await promisify(execFile)("sh", [join(ops, "make-users.sh"), partitions, acl, folder]);
      const made = readFileSync(acl, "utf8");
      expect(made.replaceAll(/(?<=^user (\S+) on )#[0-9a-f]{64}/gm, "#SHA256_OF_PASSWORD_OF_$1")).toBe(
        readFileSync(join(ops, name), "utf8"),
      );
    },
  );

  it.each(["", "0", "01", "65", "100", "6x", "-1", "users.acl"])(
    "makes nothing for PARTITIONS=%j",
    async (partitions) => {
      const folder = mkdtempSync(join(tmpdir(), "quantum-users-"));
      onTestFinished(() => rmSync(folder, { recursive: true }));
      const make = join(import.meta.dirname, "../ops/redis/make-users.sh");
      const made = promisify(execFile)("sh", [make, partitions, join(folder, "users.acl"), folder]);
      await expect(made).rejects.toThrow(`PARTITIONS=${partitions}: a whole number from 1 to 64 is needed`);
      expect(readdirSync(folder)).toEqual([]);
    },
  );
});

describe("a script", () => {
  const lift = "return redis.call('SET', KEYS[1], '0')";

  it.each(USERS.filter((user) => user !== "operator"))("of %s can do no more than its user", async (user) => {
    await expect(as(user).eval(lift, 1, keys.killSwitch)).rejects.toThrow(/can't|NOPERM/);
  });
});

describe("the user `halt`", () => {
  it("halts whatever the kill switch holds, and lifts nothing", async () => {
    for (const held of [undefined, "0", "false", "1"]) {
      await as("admin").del(keys.killSwitch);
      if (held !== undefined) await as("operator").set(keys.killSwitch, held);
      await as("halt").append(keys.killSwitch, "1");
      expect(await as("halt").get(keys.killSwitch)).toBe(`${held ?? ""}1`);
    }
    await as("admin").del(keys.killSwitch);
  });
});
