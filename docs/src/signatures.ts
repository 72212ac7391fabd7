/** The names in the scripts' headers as a type, so that a call with other names fails the type check. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { loadScript } from "../../lua/index.ts";

const LUA = join(import.meta.dirname, "../../lua");
const REST = "...";

export const SIGNATURES_FILE = join(LUA, "signatures.ts");

export function renderSignatures(): string {
  const scripts = globSync("**/*.lua", { cwd: LUA })
    .filter((file) => /^-- REPLY$/m.test(readFileSync(join(LUA, file), "utf8")))
    .map((file) => file.slice(0, -".lua".length))
    .toSorted();
  return [
    "/** Written by `pnpm run docs` from the headers of the scripts: change those, not this file. */",
    "export interface Signatures {",
    ...scripts.flatMap((name) => {
      const { keys, args } = loadScript(name);
      return [
        `  "${name}": {`,
        ...properties("keys", "restKeys", keys),
        ...properties("args", "restArgs", args),
        "  };",
      ];
    }),
    "}",
    "",
  ].join("\n");
}

function properties(fixed: string, rest: string, names: readonly string[]): string[] {
  const last = names.at(-1);
  const restName = last?.startsWith(REST) === true ? last.slice(REST.length) : undefined;
  const named = restName === undefined ? names : names.slice(0, -1);
  return [
    `    ${fixed}: ${named.map((name) => `"${name}"`).join(" | ") || "never"};`,
    ...(restName === undefined ? [] : [`    ${rest}: "${restName}";`]),
  ];
}
