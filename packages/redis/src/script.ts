/**
 * Runs the kernel's scripts by the names of their headers. Calls of one script that are made in one turn of the event
 * loop, such as those for the entries of one read, travel together and are run by one EVALSHA.
 */
import { type Call, loadScript, packCalls, type Script } from "@quantum/lua";
import type { RedisClient } from "./connection.ts";
import { atEndOfTurn } from "./turn.ts";

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
  const batches = new WeakMap<RedisClient, Batch>();
  return (client: RedisClient, call: ScriptCall<Keys, Args>): Promise<string[]> => {
    let batch = batches.get(client);
    if (batch === undefined || batch.isClosed) batches.set(client, (batch = new Batch(client, script)));
    return batch.add({
      keys: inOrder(declaration.keys, call.keys, call.restKeys),
      args: inOrder(declaration.args, call.args, call.restArgs),
    });
  };
}

/** A value that is missing, against its type, makes the arity wrong, which the script refuses. */
function inOrder<Name extends string>(
  names: readonly Name[],
  values: Readonly<Record<Name, string>>,
  rest: readonly string[] = [],
): string[] {
  const list: string[] = [];
  for (const name of names) if (values[name] !== undefined) list.push(values[name]);
  for (const value of rest) list.push(value);
  return list;
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

/** So many calls keep Redis from its other clients for some milliseconds at most. */
const CALLS_MAX = 64;

/** Calls that leave at the end of this turn. */
class Batch {
  readonly #client: RedisClient;
  readonly #script: Script;
  readonly #calls: Call[] = [];
  readonly #callers: PromiseWithResolvers<string[]>[] = [];
  #hasLeft = false;

  constructor(client: RedisClient, script: Script) {
    this.#client = client;
    this.#script = script;
    atEndOfTurn(() => void this.#send());
  }

  /** Takes no more calls. */
  get isClosed(): boolean {
    return this.#hasLeft || this.#calls.length >= CALLS_MAX;
  }

  add(call: Call): Promise<string[]> {
    const caller = Promise.withResolvers<string[]>();
    this.#calls.push(call);
    this.#callers.push(caller);
    return caller.promise;
  }

  async #send(): Promise<void> {
    this.#hasLeft = true;
    try {
      const replies = await evaluate(this.#client, this.#script, packCalls(this.#calls));
      for (const [index, { resolve, reject }] of this.#callers.entries()) {
        const reply = replies[index] ?? new Error("no reply");
        if (reply instanceof Error) reject(named(reply, this.#script));
        else resolve(reply);
      }
    } catch (error) {
      for (const { reject } of this.#callers) reject(error);
    }
  }
}

/** Among the errors of a service, one of a script says which. Redis's code stays in front. */
function named(error: Error, { name }: Script): Error {
  error.message += ` (lua/${name}.lua)`;
  return error;
}

/** EVALSHA, and EVAL after a `SCRIPT FLUSH` or a restart. */
async function evaluate(
  client: RedisClient,
  script: Script,
  { keys, args }: { keys: string[]; args: string[] },
): Promise<(string[] | Error)[]> {
  try {
    return (await client.evalsha(script.sha, keys.length, ...keys, ...args)) as (string[] | Error)[];
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;
    return (await client.eval(script.source, keys.length, ...keys, ...args)) as (string[] | Error)[];
  }
}
