/** The page as it is served: what it loads is there, and comes from nowhere else. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { VENDOR } from "../src/vendor.ts";

const PAGE = join(import.meta.dirname, "../page");
const textOf = (file: string) => readFileSync(join(PAGE, file), "utf8");
const files = readdirSync(PAGE);
const modules = files.filter((file) => file.endsWith(".mjs"));
const index = textOf("index.html");
const [, importMap = "{}"] = /<script type="importmap">([\s\S]*?)<\/script>/.exec(index) ?? [];
const { imports } = JSON.parse(importMap) as { imports: Record<string, string> };

describe("the import map", () => {
  it("names what the server serves of other packages, and nothing else", () => {
    const served = Object.fromEntries(Object.entries(VENDOR).map(([path, name]) => [name, `.${path}`]));
    expect(imports).toEqual(served);
  });

  it("names modules that are installed", () => {
    for (const name of Object.values(VENDOR))
      expect(existsSync(fileURLToPath(import.meta.resolve(name)))).toBe(true);
  });
});

describe("the page's modules", () => {
  it("import their own files and the import map's", () => {
    const known = new Set([...modules.map((file) => `./${file}`), ...Object.keys(imports)]);
    const imported = modules.flatMap((file) =>
      [
        ...textOf(file).matchAll(
          /^(?:import|export)\b[^"']*?from "([^"]+)";|^import "([^"]+)";|\bimport\("([^"]+)"\)/gm,
        ),
      ]
        // Types are for the type check alone.
        .map(([, from = "", bare = "", later = ""]) => from || bare || later)
        .filter((name) => name !== "preact" || imports["preact"] !== undefined)
        .filter((name) => !known.has(name))
        .map((name) => `${file}: ${name}`),
    );
    expect(imported).toEqual([]);
    expect(modules.length).toBeGreaterThan(20);
  });

  it("write nothing as markup that could be a stranger's", () => {
    const writes =
      /innerHTML|outerHTML|insertAdjacentHTML|dangerouslySet|document\.write|\beval\b|new Function|srcdoc/;
    expect(modules.filter((file) => writes.test(textOf(file)))).toEqual([]);
  });

  it("show commands of plain words: a shell takes nothing in them for an order to itself", () => {
    const commands = modules
      .flatMap((file) => [...textOf(file).matchAll(/text=\$\{`(permitctl [^`]*)`\}/g)])
      .map(([, command = ""]) => command.replaceAll(/\$\{\w+\}/g, "0"));
    expect(commands.filter((command) => !/^[\w -]+$/.test(command))).toEqual([]);
    expect(commands.length).toBeGreaterThan(0);
  });
});

describe("the page", () => {
  it("loads nothing from elsewhere, and has no style or handler in its markup", () => {
    for (const file of files.filter((name) => /\.(html|css|svg|mjs)$/.test(name))) {
      const text = textOf(file).replaceAll("http://www.w3.org/2000/svg", "");
      expect(`${file}: ${text}`).not.toMatch(/https?:\/\/|@import url|url\(|\sstyle="/);
    }
    expect(index).not.toMatch(/\son\w+=/);
  });

  it("has the files that its markup names", () => {
    const named = [...index.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, file = ""]) => file);
    expect(named.length).toBeGreaterThan(4);
    expect(named.filter((file) => !files.includes(file))).toEqual([]);
  });
});
