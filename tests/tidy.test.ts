/** Rules of the code base that no compiler knows: who may touch what, and where names are built. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const PRODUCT_LINES_MAX = 301;
const TEST_LINES_MAX = 450;

const files = execFileSync(
  "git",
  ["ls-files", "--cached", "--others", "--exclude-standard", "*.ts", "*.mjs", "*.lua"],
  {
    cwd: ROOT,
    encoding: "utf8",
  },
)
  .split("\n")
  // One that is deleted is listed until that is committed.
  .filter((file) => file !== "" && existsSync(join(ROOT, file)));
const textOf = (file: string) => readFileSync(join(ROOT, file), "utf8");
const codeOf = (file: string) => textOf(file).replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
const isTest = (file: string) => /\.(test|fixture)\.ts$|^(tests|bench)\//.test(file);
const product = files.filter((file) => file.endsWith(".ts") && !isTest(file));

const unitFiles = readdirSync(join(ROOT, "ops/systemd"))
  .filter((name) => name.endsWith(".service"))
  .map((name) => `ops/systemd/${name}`);

/** Files that match, less those that may. */
const offenders = (pattern: RegExp, ...allowed: string[]) =>
  product.filter((file) => pattern.test(codeOf(file)) && !allowed.some((folder) => file.startsWith(folder)));

/** Every circle that a walk comes upon, each as its files in order. */
function circlesOf(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const circles: string[][] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]) => {
    const from = path.indexOf(file);
    if (from >= 0) circles.push(path.slice(from));
    if (from >= 0 || done.has(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return circles;
}

describe("imports", () => {
  const OWNERS: [folder: string, owner: string][] = [
    ["permits", "packages/permits/"],
    ["indexes", "packages/permits/"],
    ["plans", "services/apply-layer/"],
    ["halts", "services/apply-layer/"],
    ["orders", "services/executor/"],
    ["ledger", "services/position-brain/"],
    ["streams", "packages/streams/"],
    ["exchange", "packages/service-kit/"],
    ["leases", "packages/service-kit/"],
    ["operator", "packages/operator/"],
  ];

  it("of scripts are ruled for every folder of lua", () => {
    // What stands in `shared` is included by scripts, and bound by nobody.
    const folders = files.flatMap((file) => /^lua\/(?!shared\/)([^/]+)\/.*\.lua$/.exec(file)?.[1] ?? []);
    expect([...new Set(folders)].toSorted()).toEqual(OWNERS.map(([folder]) => folder).toSorted());
  });

  it.each(OWNERS)("lua/%s has one importer, %s", (folder, owner) => {
    const pattern = new RegExp(`bindScript\\(\\s*"${folder}/`);
    expect(offenders(pattern, owner)).toEqual([]);
    // The rule would hold for nothing if nobody imported it.
    expect(product.some((file) => file.startsWith(owner) && pattern.test(textOf(file)))).toBe(true);
  });

  // Documents and unit files are written from what the services say of themselves.
  const WRITERS = ["docs/src/", "ops/systemd/"];

  it("enter a package by its index, and a service not at all", () => {
    expect(
      offenders(/from "@quantum\/[a-z-]+\/|from "(\.\.\/)+(cli|packages|services)\//, ...WRITERS),
    ).toEqual([]);
  });

  it("leave Redis to packages/operator where permitctl needs it", () => {
    const call =
      /\b(account|partition|place)\.redis\b|\bredisOf\b|\bredis\b[^;=]*\}( = (account|partition|place)|: Place\b)/;
    expect(offenders(call).filter((file) => file.startsWith("cli/permitctl/"))).toEqual([]);
    expect(call.test(codeOf("packages/operator/src/holds.ts"))).toBe(true);
  });

  it("go in no circle", () => {
    const own = new Set(files);
    const imported = (file: string) =>
      [...textOf(file).matchAll(/\b(?:from|import)[ (]"((?:\.|@quantum\/)[^"]+)"/g)]
        .map(([, name = ""]) =>
          name.startsWith(".")
            ? join(dirname(file), name)
            : (name.replace("@quantum/", "packages/") + "/src/index.ts").replace("packages/lua/src", "lua"),
        )
        .filter((name) => own.has(name));
    const graph = new Map(
      files.filter((file) => !file.endsWith(".lua")).map((file) => [file, imported(file)]),
    );
    expect(circlesOf(graph)).toEqual([]);
    // The rule would hold for nothing if imports were not found, or circles were not.
    expect(graph.get("packages/issuer/src/run-issuer.ts")).toContain("packages/streams/src/index.ts");
    expect(
      circlesOf(
        new Map([
          ["a", ["b"]],
          ["b", ["c"]],
          ["c", ["b"]],
        ]),
      ),
    ).toEqual([["b", "c"]]);
  });

  it("end in .ts where they are relative", () => {
    expect(offenders(/from "\.\.?\/[^"]+(?<!\.(ts|mjs|json))"/)).toEqual([]);
  });
});

describe("text", () => {
  /** What shows people something of Redis or the exchange. Tools of the developers print what they made themselves. */
  const printers = (file: string) => /^(campaign|cli|packages|services)\//.test(file);
  const direct = /\bconsole\.|\bprocess\.(stdout|stderr)\b|\bprocess\[|styleText\(/;

  it("reaches a terminal through the Output of service-kit alone, which escapes it", () => {
    expect(offenders(direct, "packages/service-kit/src/output.ts").filter(printers)).toEqual([]);
    expect(direct.test(codeOf("packages/service-kit/src/output.ts"))).toBe(true);
  });
});

describe("names", () => {
  it("of keys and streams are built in packages/contract alone", () => {
    const PROSE_AND_RULES = ["docs/src/", "ops/grafana/"];
    expect(
      offenders(/[`"']quantum:/, "packages/contract/", "cli/start/src/redis.ts", ...PROSE_AND_RULES),
    ).toEqual([]);
  });

  it("of files say what is in them", () => {
    expect(files.filter((file) => /^(utils?|common|helpers?|misc)\b/.test(basename(file)))).toEqual([]);
  });
});

describe("README.md", () => {
  it("names every folder of the first two levels where code is, and no other", () => {
    const TWO_LEVELS = ["cli", "ops", "packages", "services"];
    const tracked = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
      cwd: ROOT,
      encoding: "utf8",
    }).split("\n");
    const folders = tracked.flatMap((file) => {
      const [first = "", second = "", ...deeper] = file.split("/");
      if (second === "" || first.startsWith(".")) return [];
      return [first, ...(TWO_LEVELS.includes(first) && deeper.length > 0 ? [`${first}/${second}`] : [])];
    });
    let first = "";
    const named = [...textOf("README.md").matchAll(/^( {2})?([\w-]+)\/ {2,}\S|^([\w-]+)\/$/gm)].map(
      ([, indent, described, bare]) => {
        const name = described ?? bare ?? "";
        if (indent === undefined) first = name;
        return indent === undefined ? name : `${first}/${name}`;
      },
    );
    expect(named.toSorted()).toEqual([...new Set(folders)].toSorted());
  });
});

describe("decisions", () => {
  const decisions = product.filter((file) => basename(file) === "decide.ts");

  it("are pure: no clock, no chance, no I/O", () => {
    expect(decisions.length).toBeGreaterThanOrEqual(4);
    const impure = /Date\.now|new Date\(\)|performance\.|Math\.random|@quantum\/redis|from "node:|await /;
    expect(decisions.filter((file) => impure.test(textOf(file)))).toEqual([]);
  });
});

describe("files", () => {
  it("have one job, and so an end", () => {
    const most = (file: string) => (isTest(file) ? TEST_LINES_MAX : PRODUCT_LINES_MAX);
    const long = files.filter((file) => textOf(file).split("\n").length > most(file));
    expect(long).toEqual([]);
  });

  it("leave nothing for later and silence no check", () => {
    // Character classes, so that this file does not find itself.
    const marks = /TO[D]O|FIX[M]E|@ts-[i]gnore|lint-[d]isable|\.onl[y]\(/;
    expect(files.filter((file) => marks.test(textOf(file)))).toEqual([]);
  });
});

describe("citations", () => {
  const tracked = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
    cwd: ROOT,
    encoding: "utf8",
  })
    .split("\n")
    .filter((file) => /\.(ts|mjs|lua|md|ya?ml|json|c|sh)$|^Dockerfile$/.test(file));
  /** Recorded proposals that a test takes where they stand beside the checkout, and is skipped where they do not. */
  const OPTIONAL_INPUT = /(\.\.\/)+shared\/data\/[\w.-]+/g;
  const withoutOptional = (file: string) =>
    file.endsWith(".test.ts") ? textOf(file).replaceAll(OPTIONAL_INPUT, "") : textOf(file);

  it("name no document that a reader of the repository does not have", () => {
    // Character classes, so that this file does not find itself.
    const outside = /\b(WIR[E]|DESIG[N]|STYL[E])\.md|\.\.\/share[d]\b/;
    expect(tracked.filter((file) => outside.test(withoutOptional(file)))).toEqual([]);
    expect(tracked.filter((file) => textOf(file) !== withoutOptional(file)).length).toBeGreaterThan(0);
  });

  it("of docs/wire.md name one of its sections", () => {
    const sections: readonly string[] = textOf("docs/wire.md").match(/(?<=^## ).+$/gm) ?? [];
    const cited = files.flatMap((file) =>
      [...textOf(file).matchAll(/docs\/wire\.md, "([^"]+)"/g)].map(([, section = ""]) => ({ file, section })),
    );
    expect(cited.length).toBeGreaterThan(10);
    expect(cited.filter(({ section }) => !sections.includes(section))).toEqual([]);
  });

  it("of invariants name one that docs/architecture.md has", () => {
    const known = new Set(textOf("docs/architecture.md").match(/(?<=^\| \*\*)I\d+(?=\*\*)/gm));
    expect(known.size).toBe(9);
    const cited = files.flatMap((file) => textOf(file).match(/\bI\d\b/g) ?? []);
    expect([...new Set(cited)].filter((invariant) => !known.has(invariant))).toEqual([]);
  });
});

describe("pnpm", () => {
  const { packageManager = "" } = JSON.parse(textOf("package.json")) as { packageManager?: string };
  const [named = ""] = packageManager.split("+");

  it("is named with its version and hash", () => {
    expect(packageManager).toMatch(/^pnpm@\d+\.\d+\.\d+\+sha512\.[0-9a-f]{128}$/);
  });

  it("is of that version wherever a program runs it", () => {
    for (const file of ["Dockerfile", ".ci/run", "ops/systemd/try-booted.sh"])
      expect(new Set(textOf(file).match(/pnpm@[\d.]+/g))).toEqual(new Set([named]));
  });

  it("installs nothing when a service starts", () => {
    const starts = ["Dockerfile", "docker-compose.yml", ...unitFiles].flatMap((file) =>
      textOf(file)
        .split("\n")
        .filter((line) => /^ *(CMD|ENTRYPOINT|ExecStart\w*=|command:|entrypoint:)/.test(line)),
    );
    expect(starts.length).toBeGreaterThan(unitFiles.length);
    expect(starts.filter((line) => /npx|npm|install/.test(line))).toEqual([]);
  });
});

it("gives every package the version of the repository", () => {
  const manifests = execFileSync("git", ["ls-files", "package.json", "*/package.json"], {
    cwd: ROOT,
    encoding: "utf8",
  })
    .trim()
    .split("\n");
  const versionOf = (file: string) => (JSON.parse(textOf(file)) as { version?: string }).version;
  expect(manifests.length).toBeGreaterThan(15);
  expect(manifests.filter((file) => versionOf(file) !== versionOf("package.json"))).toEqual([]);
});

it("numbers each decision once, and its title says the same number", () => {
  const folder = join(ROOT, "docs/adr");
  const records = readdirSync(folder).toSorted();
  const numbers = records.map((name) => Number(name.slice(0, 4)));
  // A number may still be missing: of several decisions that are made at the same time, one is written down first.
  expect(new Set(numbers).size).toBe(numbers.length);
  for (const [index, name] of records.entries())
    expect(readFileSync(join(folder, name), "utf8")).toMatch(new RegExp(`^# ${numbers[index]}\\. `));
});
