/** What containers and hosts are given, checked by their own tools where the machine has them. */
import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { HOSTED, keyVariablesOf } from "@quantum/topology";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemdFiles } from "../ops/systemd/files.ts";
import services from "../ops/systemd/services.json" with { type: "json" };

const ROOT = join(import.meta.dirname, "..");
const run = promisify(execFile);

const has = (command: string, ...args: string[]) => {
  try {
    execFileSync(command, args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
};

let dir = "";
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "quantum-ops-"));
});
afterAll(() => rmSync(dir, { recursive: true }));

function write(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

describe("units and env files", () => {
  const files = systemdFiles();

  it.each([...files.keys()])("%s is what write.ts writes", (path) => {
    expect(readFileSync(join(ROOT, "ops/systemd", path), "utf8")).toBe(files.get(path));
  });

  it("hand each service its own key, and the executor the public ones", () => {
    const handed = [...files].flatMap(([path, content]) =>
      [...content.matchAll(/^LoadCredential=(\S+?):(\S+)\nEnvironment=(\w+)=%d\/(\S+)$/gm)].map(
        ([, id, from, variable, file]) => [path, id, from, variable, file],
      ),
    );
    expect(handed).toEqual(
      HOSTED.flatMap((service) =>
        keyVariablesOf(service).map(([variable, file]) => [
          `quantum-${service.unit}.service`,
          file,
          `/etc/quantum/keys/${file}`,
          variable,
          file,
        ]),
      ),
    );
    // An empty one in the env file would replace the unit's.
    const envFiles = [...files].filter(([path]) => path.endsWith(".env")).map(([, content]) => content);
    expect(envFiles.join("\n")).not.toMatch(/^\w+_(SIGNING_KEY|ISSUER_KEYS|OPERATOR_KEYS)_FILE=/m);
  });

  it("give the console a folder of its own for its users, which root changes while it runs", () => {
    const unit = files.get("quantum-console.service") ?? "";
    expect(unit).toContain("\nStateDirectory=quantum-console\nStateDirectoryMode=0700\n");
    expect(unit).toContain("\nEnvironment=CONSOLE_USERS_FILE=%S/quantum-console/users.json\n");
    expect(files.get("env/console.env")).not.toMatch(/^CONSOLE_USERS_FILE=/m);
  });

  it.each([...files.keys()].filter((path) => path.endsWith(".env")))(
    "%s names a variable where it is set, and nowhere else: what grep finds is in force",
    (path) => {
      const lines = (files.get(path) ?? "").split("\n");
      const variables = lines.flatMap((line) => /^(\w+)=/.exec(line)?.[1] ?? []);
      expect(variables.length).toBeGreaterThan(3);
      const stray = lines.filter((line) => variables.some((name) => line.includes(`${name}=`)));
      expect(stray).toHaveLength(variables.length);
    },
  );

  it("answer `grep PERMIT_WAIT` with how long plans wait", async () => {
    const { stdout } = await run("grep", ["PERMIT_WAIT", join(ROOT, "ops/systemd/env/apply-layer.env")]);
    expect(stdout).toBe("APPLY_PERMIT_WAIT_MS=1200\n");
  });

  it("are accepted by systemd without a remark", { skip: !has("systemd-analyze", "--version") }, async () => {
    const units = [...files.keys()].filter((path) => path.endsWith(".service"));
    const copies = units.map((path) => {
      // systemd wants to see the executable.
      write(join(dir, path), (files.get(path) ?? "").replace(/^ExecStart=\S+/m, "ExecStart=/bin/true"));
      return join(dir, path);
    });
    const { stdout, stderr } = await run("systemd-analyze", ["verify", "--man=no", ...copies]);
    expect(stdout + stderr).toBe("");
  });
});

describe("docker-compose.yml", () => {
  it("is accepted by docker-compose", { skip: !has("docker-compose", "version") }, async () => {
    const { stdout } = await run("docker-compose", ["config", "--services"], { cwd: ROOT });
    expect(stdout.split("\n")).toEqual(expect.arrayContaining(Object.keys(services)));
  });
});
