import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { build, buildText, readBuild } from "./build.ts";
import { get, launch } from "./launch.fixture.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "quantum-build-"));
  writeFileSync(join(root, "package.json"), JSON.stringify({ name: "fixture", version: "1.2.3" }));
});
afterEach(() => rmSync(root, { recursive: true }));

const git = (...args: string[]) =>
  execFileSync("git", ["-c", "user.name=test", "-c", "user.email=test@localhost", ...args], {
    cwd: root,
    encoding: "utf8",
  }).trim();

describe("the commit of a build", () => {
  it("is what the installer or the image's build wrote", () => {
    writeFileSync(join(root, "build.json"), '{"commit":"0123456789ab"}\n');
    expect(readBuild(root)).toEqual({ version: "1.2.3", commit: "0123456789ab" });
    expect(buildText(readBuild(root))).toBe("1.2.3 (commit 0123456789ab)");
  });

  it("is the checkout's, and changes that are not committed show", () => {
    git("init", "--quiet");
    git("add", ".");
    git("commit", "--quiet", "-m", "first");
    git("tag", "v1");
    const commit = git("rev-parse", "--short=12", "HEAD");
    expect(readBuild(root).commit).toBe(commit);
    writeFileSync(join(root, "package.json"), JSON.stringify({ version: "1.2.4" }));
    expect(readBuild(root)).toEqual({ version: "1.2.4", commit: `${commit}-dirty` });
  });

  it("is unknown without either, even in a folder of another repository", () => {
    expect(readBuild(root).commit).toBe("unknown");
    git("init", "--quiet");
    git("add", ".");
    git("commit", "--quiet", "-m", "another");
    mkdirSync(join(root, "unpacked"));
    writeFileSync(join(root, "unpacked/package.json"), JSON.stringify({ version: "1.2.3" }));
    expect(readBuild(join(root, "unpacked"))).toEqual({ version: "1.2.3", commit: "unknown" });
  });
});

describe("a service", () => {
  const env = { PATH: process.env["PATH"] ?? "" };

  it("tells its version and commit by --version, /healthz and a metric", async () => {
    const asked = launch("bare.fixture.ts", env, ["--version"]);
    expect(await asked.exited).toEqual({ code: 0, signal: null });
    expect(asked.stdout).toEqual([`bare ${buildText()}`]);

    const url = await launch("bare.fixture.ts", env).ready();
    const { version, commit } = build();
    expect(JSON.parse((await get(`${url}/healthz`)).body)).toEqual({
      status: "ok",
      version,
      commit,
      instance: expect.stringMatching(/^bare@/),
    });
    expect((await get(`${url}/metrics`)).body).toContain(
      `quantum_build_info{version="${version}",commit="${commit}"} 1\n`,
    );
  });
});
