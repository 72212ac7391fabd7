/** Each package's manifest lists what its files import, and nothing else. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const listed = (...patterns: string[]) =>
  execFileSync("git", ["ls-files", ...patterns], { cwd: ROOT, encoding: "utf8" })
    .trim()
    .split("\n");
const textOf = (file: string) => readFileSync(join(ROOT, file), "utf8");

const folders = listed("*/package.json").map((file) => file.slice(0, -"package.json".length));
const sources = listed("*.ts", "*.mjs");
const isForTests = (file: string) => /\.(test|fixture)\.ts$|\/src\/vitest\//.test(file);

/** `@scope/name` and `name` of what a file imports from other packages. */
function importedBy(file: string): string[] {
  const names = [
    ...textOf(file).matchAll(/^(?:import|export)\b[^"']*? from "([^"]+)";|\bimport\("([^"]+)"\)/gm),
  ];
  return names
    .map(([, from = "", later = ""]) => from || later)
    .filter((name) => !name.startsWith(".") && !isBuiltin(name))
    .map((name) =>
      name
        .split("/")
        .slice(0, name.startsWith("@") ? 2 : 1)
        .join("/"),
    );
}

/** The root's own files are those of no other package. */
const packages = ["", ...folders].map((folder) => {
  const manifest = JSON.parse(textOf(`${folder}package.json`)) as {
    name: string;
    dependencies?: Record<string, string>;
    devDependencies?: Record<string, string>;
  };
  const own = sources.filter((file) =>
    folder === "" ? !folders.some((other) => file.startsWith(other)) : file.startsWith(folder),
  );
  return { name: manifest.name, folder, own, manifest };
});

const listedBy = ({ dependencies, devDependencies }: (typeof packages)[number]["manifest"]) => [
  ...Object.keys(dependencies ?? {}),
  ...Object.keys(devDependencies ?? {}),
];
const ofRoot = listedBy(packages[0]?.manifest ?? { name: "" });
/** Tools that are run and not imported, and types that come by themselves. */
const BY_COMMAND = /^(@types\/.*|typescript|oxfmt|oxlint|oxlint-tsgolint|vitest)$/;

describe.each(packages)("$name", ({ folder, own, manifest }) => {
  /** A service is installed with its dependencies alone; tests run where the root's are, too. */
  const allowed = (file: string) =>
    isForTests(file) || ["", "tests/"].includes(folder)
      ? [...listedBy(manifest), ...ofRoot]
      : Object.keys(manifest.dependencies ?? {});

  it("lists what it imports", () => {
    const missing = own.flatMap((file) =>
      importedBy(file)
        .filter((name) => !allowed(file).includes(name))
        .map((name) => `${file}: ${name}`),
    );
    expect(missing).toEqual([]);
  });

  it("imports what it lists", () => {
    const imported = new Set(own.flatMap(importedBy));
    const others = packages.filter((other) => other.folder !== folder);
    // What tests of a package import and it does not list itself, the root lists for it.
    const lent = others.flatMap((other) =>
      folder === ""
        ? other.own.flatMap(importedBy).filter((name) => !listedBy(other.manifest).includes(name))
        : [],
    );
    const used = new Set([...imported, ...lent]);
    expect(listedBy(manifest).filter((name) => !used.has(name) && !BY_COMMAND.test(name))).toEqual([]);
  });
});
