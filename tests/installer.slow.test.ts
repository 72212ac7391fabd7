/** The installer: one installation on a scratch root, with git, pnpm and a stand-in for systemctl. */
import { execFile } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { freePort } from "@quantum/harness";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { openHost } from "../ops/install/host.mjs";
import services from "../ops/systemd/services.json" with { type: "json" };

const ROOT = join(import.meta.dirname, "..");
const run = promisify(execFile);

let dir = "";
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "quantum-installer-"));
});
afterAll(() => rmSync(dir, { recursive: true }));

function write(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

describe.skipIf(process.platform !== "linux")("the installer on a scratch root", () => {
  let repository = "";
  let root = "";
  let port = 0;

  /** A workspace of one service, and with the Node of the real one. */
  beforeAll(async () => {
    repository = join(dir, "repository");
    root = join(dir, "root");
    port = await freePort();
    mkdirSync(root);
    for (const path of ["ops/install", "ops/redis", "ops/systemd"]) {
      cpSync(join(ROOT, path), join(repository, path), { recursive: true });
    }
    const manifest = (path: string, content: object) =>
      write(
        join(repository, path, "package.json"),
        JSON.stringify({ private: true, type: "module", ...content }),
      );
    const { optionalDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
      optionalDependencies: object;
    };
    manifest("", { name: "fixture", optionalDependencies });
    manifest("packages/needed", { name: "@quantum/needed" });
    manifest("packages/for-tests", { name: "@quantum/for-tests" });
    manifest("packages/signing", { name: "@quantum/signing" });
    // In place of keys, what it was asked for.
    write(
      join(repository, "packages/signing/src/provide-keys.ts"),
      `import { writeFileSync } from "node:fs";
      const [publicFile, ...places] = process.argv.slice(2) as [string, ...string[]];
      writeFileSync(publicFile, JSON.stringify(places));`,
    );
    manifest("services/executor", {
      name: "@quantum/executor",
      dependencies: { "@quantum/needed": "workspace:*", "@quantum/signing": "workspace:*" },
      devDependencies: { "@quantum/for-tests": "workspace:*" },
    });
    write(join(repository, "services/executor/src/some.test.ts"), "");
    manifest("cli/permitctl", {
      name: "@quantum/permitctl",
      dependencies: { "@quantum/needed": "workspace:*" },
    });
    write(join(repository, "pnpm-workspace.yaml"), "packages: [cli/*, packages/*, services/*]\n");
    await run("npx", ["-y", "pnpm@12", "install", "--lockfile-only", "--prefer-offline"], {
      cwd: repository,
    });
    await git("init", "--quiet");
    await tag("v1", 200);
    await tag("v2", 200);
    await tag("v3", 503);
    write(join(root, "etc/quantum/executor.env"), `EXECUTOR_METRICS_PORT=${port}\n`);
  });
  afterAll(() => run(systemctl, ["disable", "quantum-executor.service"], { env: environment() }));

  const systemctl = join(ROOT, "ops/install/systemctl.fixture.mjs");
  const environment = () => ({ ...process.env, FIXTURE_ROOT: root });
  const git = (...args: string[]) =>
    run("git", ["-c", "user.name=test", "-c", "user.email=test@localhost", ...args], { cwd: repository });

  /** A release that answers /readyz with `status`, and gives up if that is not 200, as a refused one does. */
  async function tag(version: string, status: number): Promise<void> {
    write(
      join(repository, "services/executor/src/main.ts"),
      `import { createServer } from "node:http";
      const version: string = "${version}";
      if (!process.argv.includes("--help")) {
        createServer((_, answer) => answer.writeHead(${status}).end(version)).listen(${port});
        if (${status} !== 200) process.exit(2);
      }`,
    );
    write(
      join(repository, "cli/permitctl/main.mjs"),
      `console.log("${version}", process.argv.slice(2).join(" "));`,
    );
    await git("add", ".");
    await git("commit", "--quiet", "-m", version);
    await git("tag", version);
  }

  async function quantum(...args: string[]): Promise<{ code: number; output: string }> {
    const command = [
      join(repository, "ops/install/quantum.mjs"),
      ...args,
      "--root",
      root,
      "--systemctl",
      systemctl,
    ];
    return run(process.execPath, command, { env: environment() }).then(
      ({ stdout, stderr }) => ({ code: 0, output: stdout + stderr }),
      ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({
        code,
        output: stdout + stderr,
      }),
    );
  }

  const answers = async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).text();

  it("installs, updates, returns by itself from a release that is not ready, and rolls back", async () => {
    expect(await quantum("install", "executor", "v1")).toEqual({ code: 0, output: expect.any(String) });
    expect(await answers()).toBe("v1");
    expect(await quantum("install", "executor", "v2")).toEqual({ code: 0, output: expect.any(String) });
    expect(await answers()).toBe("v2");

    const failed = await quantum("install", "executor", "v3");
    expect(failed).toMatchObject({ code: 1, output: expect.stringContaining("rolled back, v2 is ready") });
    expect(await answers()).toBe("v2");

    const { output } = await quantum("status");
    expect(output).toMatch(/^executor +v2 +v1 +v2 +active +yes +v1 v2 v3$/m);
    expect(output).toMatch(/^governor +- +- +- /m);

    expect(await quantum("rollback", "executor")).toEqual({ code: 0, output: expect.any(String) });
    expect(await answers()).toBe("v1");
    expect(await quantum("rollback", "executor")).toEqual({ code: 0, output: expect.any(String) });
    expect(await answers()).toBe("v2");
  });

  it("brings permitctl, which runs on the release's own Node, and leaves its options to it", async () => {
    const command = join(root, "usr/local/bin/permitctl");
    const { stdout } = await run(command, ["verify", "--env-file", "none"], {
      env: { PATH: "/usr/bin:/bin" },
    });
    // That of v3 was not brought: v3 did not become ready.
    expect(stdout).toBe("v2 verify --env-file none\n");
    expect(await quantum("install", "permitctl", "v1")).toMatchObject({ code: 0 });
    expect((await run(command, ["--help"])).stdout).toBe("v1 --help\n");
    expect(readdirSync(join(root, "opt/quantum/permitctl/releases/v1/packages"))).toEqual(["needed"]);

    write(command, "#!/bin/sh\necho mine\n");
    const refused = await quantum("install", "permitctl", "v2");
    expect(refused).toMatchObject({ code: 1, output: expect.stringContaining("is not ours") });
    expect((await run(command)).stdout).toBe("mine\n");
    rmSync(command);
  });

  it("installs any commit, whose release has its name, and the release says what it was made of", async () => {
    const { stdout } = await git("rev-parse", "--short=12", "v1");
    const commit = stdout.trim();
    expect(await quantum("install", "executor", commit.slice(0, 7))).toMatchObject({ code: 0 });
    expect(await answers()).toBe("v1");
    const { output } = await quantum("status");
    expect(output).toMatch(new RegExp(`^executor +${commit} +v2 +${commit} +active +yes `, "m"));
    for (const release of ["v1", commit]) {
      const file = join(root, "opt/quantum/executor/releases", release, "build.json");
      expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ commit });
    }
  });

  it("puts into a release what the service needs to run, and nothing else of the workspace", () => {
    const release = join(root, "opt/quantum/executor/releases/v1");
    expect(readdirSync(join(release, "packages"))).toEqual(["needed", "signing"]);
    expect(readdirSync(join(release, "services/executor/src"))).toEqual(["main.ts"]);
  });

  it("has the release provide the keys, in a folder for root alone", () => {
    const folder = join(root, "etc/quantum/keys");
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    // The executor has no private key.
    expect(readFileSync(join(folder, "issuers.json"), "utf8")).toBe("[]");
    // Nor has any host an operator's.
    expect(readFileSync(join(folder, "operators.json"), "utf8")).toBe("[]");
    expect(readdirSync(folder).toSorted()).toEqual(["issuers.json", "operators.json"]);
  });

  it("never changes an env file that is there", () => {
    expect(readFileSync(join(root, "etc/quantum/executor.env"), "utf8")).toBe(
      `EXECUTOR_METRICS_PORT=${port}\n`,
    );
  });

  it("writes the service's Redis user into a new env file, and makes the users' passwords", () => {
    const fresh = join(dir, "fresh");
    const env = "opt/quantum/governor/releases/v1/ops/systemd/env/governor.env";
    write(join(fresh, env), "HTTP_HOST=\nREDIS_URL=\n");
    openHost(services.governor, "governor", { root: fresh, systemctl }).provideEnvFile("v1");
    const file = join(fresh, "etc/quantum/governor.env");
    const password = readFileSync(join(fresh, "etc/quantum/redis/governor/password"), "utf8");
    expect(readFileSync(file, "utf8")).toBe(
      `HTTP_HOST=\nREDIS_URL=redis://governor:${password}@localhost:6379/0\n`,
    );
    for (const secret of [file, join(fresh, "etc/quantum/redis/users.acl")])
      expect(statSync(secret).mode & 0o777).toBe(0o600);
  });

  it("makes Redis's users for as many partitions as the host's services have, and says when they are others", () => {
    const fresh = join(dir, "fresh-partitions");
    const etc = join(fresh, "etc/quantum");
    for (const unit of ["governor", "executor"])
      write(
        join(fresh, `opt/quantum/${unit}/releases/v1/ops/systemd/env/${unit}.env`),
        readFileSync(join(ROOT, `ops/systemd/env/${unit}.env`), "utf8"),
      );
    const log = vi.spyOn(console, "log").mockReturnValue();
    onTestFinished(() => log.mockRestore());
    const provide = (unit: "governor" | "executor") => {
      log.mockClear();
      openHost(services[unit], unit, { root: fresh, systemctl }).provideEnvFile("v1");
      return log.mock.calls.flat().filter((line) => String(line).includes("users.acl"));
    };
    const [acl, governor] = [join(etc, "redis/users.acl"), join(etc, "governor.env")];
    const rights = () => readFileSync(acl, "utf8").includes("quantum:apply:{q*}:plan:*");
    const inEnv = (file: string) => /^PARTITIONS=(.*)$/m.exec(readFileSync(file, "utf8"))?.[1];

    expect(provide("governor")).toEqual([expect.stringContaining(`${acl} is new: give it to Redis`)]);
    expect([inEnv(governor), rights()]).toEqual(["1", false]);
    const password = readFileSync(join(etc, "redis/governor/password"), "utf8");

    write(governor, readFileSync(governor, "utf8").replace("PARTITIONS=1", 'PARTITIONS="6"'));
    expect(provide("governor")).toEqual([expect.stringContaining(`${acl} has changed: give it to Redis`)]);
    expect(rights()).toBe(true);
    expect(readFileSync(join(etc, "redis/governor/password"), "utf8")).toBe(password);

    // The next service has what the others have.
    const executor = join(etc, "executor.env");
    expect(provide("executor")).toEqual([]);
    expect([inEnv(executor), rights()]).toEqual(["6", true]);

    const made = readFileSync(acl, "utf8");
    for (const [value, problem] of [
      ["1", "PARTITIONS is 1 in executor.env; 6 in governor.env: it must be the same for all services"],
      ["65", "PARTITIONS is 65 in executor.env; 6 in governor.env: it must be the same for all services"],
    ] as const) {
      write(executor, `PARTITIONS=${value}\n`);
      expect(() => provide("executor")).toThrow(problem);
    }
    rmSync(governor);
    expect(() => provide("executor")).toThrow("PARTITIONS=65: a whole number from 1 to 64 is needed");
    expect(readFileSync(acl, "utf8")).toBe(made);
  });

  it("writes both users into the console's: who looks, and who operates", () => {
    const fresh = join(dir, "fresh-console");
    const env = "opt/quantum/console/releases/v1/ops/systemd/env/console.env";
    write(join(fresh, env), "REDIS_URL=\nCONSOLE_OPERATOR_REDIS_URL=\n");
    openHost(services.console, "console", { root: fresh, systemctl }).provideEnvFile("v1");
    const [viewer, operator] = ["viewer", "operator"].map((user) =>
      readFileSync(join(fresh, "etc/quantum/redis", user, "password"), "utf8"),
    );
    expect(readFileSync(join(fresh, "etc/quantum/console.env"), "utf8")).toBe(
      `REDIS_URL=redis://viewer:${viewer}@localhost:6379/0\nCONSOLE_OPERATOR_REDIS_URL=redis://operator:${operator}@localhost:6379/0\n`,
    );
  });

  it("starts nothing on a new configuration, and starts it once that is looked through", async () => {
    const file = join(root, "etc/quantum/executor.env");
    const mine = readFileSync(file, "utf8");
    const before = await answers();
    rmSync(file);
    const first = await quantum("install", "executor", "v1");
    expect(first).toMatchObject({ code: 1, output: expect.stringContaining("executor: not started") });
    expect(await answers()).toBe(before);
    writeFileSync(file, mine);
    expect(await quantum("install", "executor", "v1")).toMatchObject({ code: 0 });
    expect(await answers()).toBe("v1");
  });

  it("makes the Redis users also where the operator wrote the env file", () => {
    expect(statSync(join(root, "etc/quantum/redis/executor/password")).mode & 0o777).toBe(0o600);
  });

  it.each([
    [["install", "executor", "v9"], 1, "VERSION=v9: no such tag or commit"],
    [["install", "executor", "--all"], 2, "usage:"],
    [["install", "executor", "../v1"], 2, "VERSION=../v1"],
    [["install", "exchange-sim", "v1"], 2, "SERVICE=exchange-sim"],
    [["rollback", "governor"], 1, "no earlier release"],
    [["instal"], 2, "usage:"],
  ])("refuses %s", async (args, code, text) => {
    expect(await quantum(...args)).toMatchObject({ code, output: expect.stringContaining(text) });
  });
});
