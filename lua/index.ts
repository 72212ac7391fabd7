/**
 * Loads the scripts. A script's header is its contract, and this loader holds callers to it:
 *
 *     -- KEYS
 *     --   plan      HASH, the plan's record
 *     --   results   STREAM! apply.result
 *     --   ...issuer permit and block key of each required issuer
 *     -- ARGV
 *     --   plan_id
 *     -- REPLY
 *     --   OK wait_ms
 *
 * Names become the order of KEYS and ARGV; a last name with `...` stands for any number. `--@include shared/now.lua`
 * makes another file's functions known. Redis makes every function again at each EVALSHA, so a script is loaded with those
 * alone that it reaches. `pnpm run docs` writes the names to `signatures.ts`, which types the callers; the loader writes the
 * arity check, so that a call with a missing value fails and nothing is read or written.
 *
 * A key of the wrong type must fail a call before it writes anything. A script that reads the key first sees to that by
 * itself; for one that does not, the header says `STREAM!`, and the loader writes the check.
 *
 * A script is written for one plan, or one entry. The loader also makes it take any number of calls at once, see
 * {@link packCalls}. Each has its own reply or error: one that fails does not keep the others from being made. What an
 * included file keeps outside its functions lasts for all calls of one EVALSHA. A lone call is run as it is written, because
 * packing and unpacking it would cost Redis about as much as some of the commands inside.
 */
import { readFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";

export type { Signatures } from "./signatures.ts";

/** What Redis runs. */
export interface Source {
  readonly source: string;
  readonly sha: string;
}

export interface Script {
  /** Path below `lua/`, without the ending: `permits/consume`. */
  readonly name: string;
  /** For one call: KEYS and ARGV are its own, and so is the reply. */
  readonly lone: Source;
  /** For any number of {@link packCalls}: the reply has one for each. */
  readonly batch: Source;
  readonly keys: readonly string[];
  readonly args: readonly string[];
  /** Status words of the header's REPLY section. */
  readonly replies: readonly string[];
}

const REST = "...";

/** What one call of a script is given, in the order of its header. */
export interface Call {
  readonly keys: readonly string[];
  readonly args: readonly string[];
}

/** Calls as a batch takes them: before each call's arguments stand the numbers of its keys and arguments. */
export function packCalls(calls: readonly Call[]): { keys: string[]; args: string[] } {
  const packed: { keys: string[]; args: string[] } = { keys: [], args: [] };
  for (const { keys, args } of calls) {
    for (const key of keys) packed.keys.push(key);
    packed.args.push(String(keys.length), String(args.length));
    for (const arg of args) packed.args.push(arg);
  }
  return packed;
}

/** The replies of all calls, in their order. An error is a table where `redis.call` threw it, else text. */
const EACH_CALL = `
local function one(key, keys, arg, args)
  return call({ unpack(KEYS, key + 1, key + keys) }, { unpack(ARGV, arg + 3, arg + 2 + args) })
end
local replies, key, arg = {}, 0, 0
while arg < #ARGV do
  local keys, args = tonumber(ARGV[arg + 1]), tonumber(ARGV[arg + 2])
  local ok, reply = pcall(one, key, keys, arg, args)
  if not ok and type(reply) ~= 'table' then reply = redis.error_reply(tostring(reply)) end
  replies[#replies + 1] = reply or redis.error_reply('NOREPLY')
  key, arg = key + keys, arg + 2 + args
end
return replies`;

/** @throws Error if the script, a file it includes or a section of its header is missing */
export function loadScript(name: string, folder = import.meta.dirname): Script {
  const read = (path: string) => readFileSync(join(folder, path), "utf8");
  const text = read(`${name}.lua`);
  const keys = headerNames(name, text, "KEYS");
  const args = headerNames(name, text, "ARGV");
  const checked = (check: string) => [
    arityCheck(name, "KEYS", keys),
    arityCheck(name, "ARGV", args),
    ...typeChecks(text, keys, check),
    withoutComments(text),
  ];
  const definitions = [...included(text, read), EXPECT].flatMap(definitionsOf);
  const sourceOf = (...body: readonly string[]): Source => {
    const source = [...reached(definitions, body.join("\n")), ...body].join("\n");
    return { source, sha: createHash("sha1").update(source).digest("hex") };
  };
  return {
    name,
    lone: sourceOf(...checked("redis.call")),
    batch: sourceOf("local function call(KEYS, ARGV)", ...checked("expect"), `end${EACH_CALL}`),
    keys,
    args,
    replies: headerNames(name, text, "REPLY"),
  };
}

const INCLUDE = /^--@include (\S+)$/gm;

/** The included files, each behind those that it includes itself. */
function included(text: string, read: (path: string) => string): string[] {
  return [...text.matchAll(INCLUDE)].flatMap(([, path = ""]) => {
    const part = read(path);
    return [...included(part, read), part];
  });
}

/** Lines of comment, among them the includes. What follows code in its line stays. */
function withoutComments(text: string): string {
  return text.replaceAll(/^ *--.*\n?/gm, "");
}

interface Definition {
  /** Of the local functions or values that it defines. */
  readonly names: readonly string[];
  readonly code: string;
}

/** A part consists of local definitions, each of which lasts until the next one begins. */
function definitionsOf(part: string): Definition[] {
  const codes = withoutComments(part).split(/^(?=local )/m);
  return codes.flatMap((code) => {
    const names = /^local (?:function )?(\w+(?:, \w+)*)/.exec(code)?.[1]?.split(", ");
    return names === undefined ? [] : [{ names, code: code.trimEnd() }];
  });
}

/** The definitions that the body needs, in their order. A word that happens to be a name counts: one too many does no harm. */
function reached(definitions: readonly Definition[], body: string): string[] {
  const needed = new Set<Definition>();
  const look = (code: string) => {
    const words = new Set(code.match(/\w+/g));
    for (const definition of definitions) {
      if (needed.has(definition) || !definition.names.some((name) => words.has(name))) continue;
      needed.add(definition);
      look(definition.code);
    }
  };
  look(body);
  return definitions.filter((definition) => needed.has(definition)).map(({ code }) => code);
}

/** Commands that answer in constant time, and fail for a key of the wrong type. */
const PROBES: Record<string, string> = { STREAM: "XLEN", HASH: "HLEN", ZSET: "ZCARD", SET: "SCARD" };

/** Nothing in a step changes the type of a key, so each key is checked once for all calls of a batch. */
const EXPECT = `
local expected = {}
local function expect(probe, key)
  if expected[key] then return end
  redis.call(probe, key)
  expected[key] = true
end`;

/** One for each key whose type in the header ends with `!`. */
function typeChecks(text: string, keys: readonly string[], check: string): string[] {
  return keys.flatMap((name, index) => {
    const type = new RegExp(`^-- {3}${name} +([A-Z]+)!`, "m").exec(text)?.[1];
    if (type === undefined) return [];
    const probe = PROBES[type];
    if (probe === undefined) throw new Error(`no command tells whether ${name} is a ${type}`);
    return [`${check}('${probe}', KEYS[${index + 1}])`];
  });
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
