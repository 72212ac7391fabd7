/** Runs the kernel's scripts by the names of their headers. */
import { loadScript, type Script } from "@quantum/lua";
import type { RedisClient } from "./connection.ts";

type Named<Names extends readonly string[]> = { [Name in Names[number]]: string };

interface Declaration<Keys extends readonly string[], Args extends readonly string[]> {
  keys: Keys;
  args: Args;
  /** The header's KEYS and ARGV end in a `...name`, whose values are passed apart. */
  restKeys?: string;
  restArgs?: string;
}

export interface ScriptCall<Keys extends readonly string[], Args extends readonly string[]> {
  keys: Named<Keys>;
  args: Named<Args>;
  restKeys?: readonly string[];
  restArgs?: readonly string[];
}

/**
 * Binds a script to the names its caller uses. Names and order must equal the script's header, or this throws: at
 * start, not at the first plan.
 *
 * @returns a function that runs it and answers the reply as flat text, the status word first.
 */
export function bindScript<const Keys extends readonly string[], const Args extends readonly string[]>(
  name: string,
  declaration: Declaration<Keys, Args>,
) {
  const script = loadScript(name);
  expectSame(script, "KEYS", script.keys, declaration.keys, declaration.restKeys);
  expectSame(script, "ARGV", script.args, declaration.args, declaration.restArgs);
  return async (client: RedisClient, call: ScriptCall<Keys, Args>): Promise<string[]> => {
    const keys = [
      ...script.keys.flatMap((key) => call.keys[key as Keys[number]] ?? []),
      ...(call.restKeys ?? []),
    ];
    const args = [
      ...script.args.flatMap((arg) => call.args[arg as Args[number]] ?? []),
      ...(call.restArgs ?? []),
    ];
    return evaluate(client, script, keys, args);
  };
}

function expectSame(
  script: Script,
  table: string,
  header: readonly string[],
  declared: readonly string[],
  rest: string | undefined,
): void {
  const names = rest === undefined ? declared : [...declared, `...${rest}`];
  if (header.join() !== names.join()) {
    throw new Error(
      `lua/${script.name}.lua: ${table} are (${header.join()}), but the caller names (${names.join()})`,
    );
  }
}

/** EVALSHA, and EVAL after a `SCRIPT FLUSH` or a restart. */
async function evaluate(
  client: RedisClient,
  script: Script,
  keys: string[],
  args: string[],
): Promise<string[]> {
  try {
    return (await client.evalsha(script.sha, keys.length, ...keys, ...args)) as string[];
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;
    return (await client.eval(script.source, keys.length, ...keys, ...args)) as string[];
  }
}
