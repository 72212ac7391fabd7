/** The entries that people are told to run, on a Node that cannot read what is behind them. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { SERVICES } from "@quantum/topology";
import { expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const textOf = (file: string) => readFileSync(join(ROOT, file), "utf8");

/** A Node below 24 that this machine has, beside the one that runs the tests. */
const earlier = (process.env["PATH"] ?? "")
  .split(":")
  .concat("/usr/bin", "/usr/local/bin")
  .map((folder) => join(folder, "node"))
  .find((node) => {
    if (!existsSync(node)) return false;
    const version = execFileSync(node, ["--version"], { encoding: "utf8" });
    return Number(/^v(\d+)/.exec(version)?.[1]) < 24;
  });

const entries = [...SERVICES.map(({ name }) => `services/${name}/main.mjs`), "cli/permitctl/main.mjs"];

it.each(entries)("%s checks its Node before it reads TypeScript", (entry) => {
  const [first = "", second = ""] = textOf(entry)
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("//"));
  expect(first).toBe('await import("../../packages/service-kit/require-node.mjs");');
  expect(second).toBe('await import("./src/main.ts");');
});

it("says on an earlier Node which one is needed, and how to run it", ({ skip }) => {
  skip(earlier === undefined, "this machine has no earlier Node");
  const run = (entry: string) => spawnSync(earlier ?? "", [entry], { cwd: ROOT, encoding: "utf8" });
  expect(run("services/governor/main.mjs")).toMatchObject({
    status: 1,
    stdout: "",
    stderr: expect.stringMatching(
      /^Node >= 24 needed, this is [\d.]+; after "npx -y pnpm@12 install", run it in the checkout as: node_modules\/\.bin\/node services\/governor\/main\.mjs\n$/,
    ),
  });
  expect(run("scripts/permitctl.mjs").stderr).toMatch(
    /^Node >= 24 needed, this is [\d.]+; run it as: npx -y pnpm@12 permitctl\n$/,
  );
});

it("are those of the documents", () => {
  for (const file of ["README.md", "CONTRIBUTING.md", "docs/configuration.md"]) {
    const named = [...textOf(file).matchAll(/\bnode services\/\S+?\/(\S+?\.\w+)/g)].map(([, path]) => path);
    expect(named.length).toBeGreaterThan(0);
    expect(new Set(named)).toEqual(new Set(["main.mjs"]));
  }
});
