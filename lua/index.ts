/**
 * Loads the kernel's scripts. A script's header is its contract, and this loader holds callers to it:
 *
 *     -- KEYS
 *     --   plan      the plan's record
 *     --   ...issuer permit and block key of each required issuer
 *     -- ARGV
 *     --   plan_id
 *     -- REPLY
 *     --   OK wait_ms
 *
 * Names become the order of KEYS and ARGV; a last name with `...` stands for any number. `--@include shared/now.lua`
 * puts another file there. The loader also writes the arity check, so that a wrapper which has drifted from its script
 * fails at the first call and not silently.
 */
import { readFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";

export interface Script {
  /** Path below `lua/`, without the ending: `permits/consume`. */
  readonly name: string;
  readonly source: string;
  readonly sha: string;
  readonly keys: readonly string[];
  readonly args: readonly string[];
  /** Status words of the header's REPLY section. */
  readonly replies: readonly string[];
}

const REST = "...";

/** @throws Error if the script, a file it includes or a section of its header is missing */
export function loadScript(name: string, folder = import.meta.dirname): Script {
  const read = (path: string) => readFileSync(join(folder, path), "utf8");
  const text = read(`${name}.lua`);
  const keys = headerNames(name, text, "KEYS");
  const args = headerNames(name, text, "ARGV");
  const source = `${arityCheck(name, "KEYS", keys)}\n${arityCheck(name, "ARGV", args)}\n${include(text, read)}`;
  return {
    name,
    source,
    sha: createHash("sha1").update(source).digest("hex"),
    keys,
    args,
    replies: headerNames(name, text, "REPLY"),
  };
}

function include(text: string, read: (path: string) => string): string {
  return text.replace(/^--@include (\S+)$/gm, (_, path: string) => include(read(path), read));
}

/** First word of each line of a header section, up to the next section or the end of the header. */
function headerNames(script: string, text: string, section: string): string[] {
  const lines = text.split("\n");
  const start = lines.indexOf(`-- ${section}`);
  if (start < 0) throw new Error(`lua/${script}.lua: header section ${section} is missing`);
  const names: string[] = [];
  for (const line of lines.slice(start + 1)) {
    const name = /^-- {3}(\S+)/.exec(line)?.[1];
    if (name !== undefined) names.push(name);
    else if (!line.startsWith("--     ")) break;
  }
  return names;
}

/** An arity that is off means a caller and a script of different versions: refuse before anything is read. */
function arityCheck(name: string, table: string, names: readonly string[]): string {
  const variadic = names.at(-1)?.startsWith(REST) ?? false;
  const fixed = variadic ? names.length - 1 : names.length;
  const wrong = variadic ? `#${table} < ${fixed}` : `#${table} ~= ${fixed}`;
  return `if ${wrong} then return redis.error_reply('ARITY ${name} ${table} wants ${fixed}, got ' .. #${table}) end`;
}
