/**
 * Runs the scripts by the names of their headers. Calls of one script that are made in one turn of the event
 * loop, such as those for the entries of one read, travel together and are run by one EVALSHA.
 */
import { type Call, loadScript, packCalls, type Script, type Signatures, type Source } from "@quantum/lua";
import type { RedisClient } from "./connection.ts";
import { atEndOfTurn } from "./turn.ts";

export type ScriptName = keyof Signatures;

type Named<Names extends string> = { [Name in Names]: string };

/** The values behind the header's names; those of a `...name` at the end of KEYS or ARGV are passed apart. */
export type ScriptCall<Name extends ScriptName> = {
  keys: Named<Signatures[Name]["keys"]>;
  args: Named<Signatures[Name]["args"]>;
} & (Signatures[Name] extends { restKeys: string } ? { restKeys: readonly string[] } : { restKeys?: never }) &
  (Signatures[Name] extends { restArgs: string } ? { restArgs: readonly string[] } : { restArgs?: never });

/**
 * Binds a script to the names of its header, which type the call.
 *
 * @returns a function that runs it and answers the reply as flat text, the status word first.
 * @throws Error if there is no such script
 */
export function bindScript<Name extends ScriptName>(name: Name) {
  const script = loadScript(name);
  const keys = named(script.keys);
  const args = named(script.args);
  const batches = new WeakMap<RedisClient, Batch>();
  return (client: RedisClient, call: ScriptCall<Name>): Promise<string[]> => {
    let batch = batches.get(client);
    if (batch === undefined || batch.isClosed) batches.set(client, (batch = new Batch(client, script)));
    return batch.add({
      keys: inOrder(keys, call.keys, call.restKeys),
      args: inOrder(args, call.args, call.restArgs),
    });
  };
}

/** Without the `...name` at their end. */
function named(names: readonly string[]): readonly string[] {
  return names.filter((name) => !name.startsWith("..."));
}

/** A value that is missing, against its type, makes the arity wrong, which the script refuses. */
function inOrder(
  names: readonly string[],
  values: Readonly<Record<string, string>>,
  rest: readonly string[] = [],
): string[] {
  const list: string[] = [];
  for (const name of names) if (values[name] !== undefined) list.push(values[name]);
  for (const value of rest) list.push(value);
  return list;
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
      const replies = await this.#replies();
      for (const [index, { resolve, reject }] of this.#callers.entries()) {
        const reply = replies[index] ?? new Error("no reply");
        if (reply instanceof Error) reject(withName(reply, this.#script));
        else resolve(reply);
      }
    } catch (error) {
      for (const { reject } of this.#callers) reject(error);
    }
  }

  async #replies(): Promise<(string[] | Error)[]> {
    const { lone, batch } = this.#script;
    const [first, ...others] = this.#calls;
    if (first === undefined || others.length > 0)
      return (await evaluate(this.#client, batch, packCalls(this.#calls))) as (string[] | Error)[];
    try {
      return [(await evaluate(this.#client, lone, first)) as string[]];
    } catch (error) {
      // What the script answers, as among others; what the connection says is not of the script.
      if (error instanceof Error && error.name === "ReplyError") return [error];
      throw error;
    }
  }
}

/** What Redis adds to the error of a script. */
const PLACE = / script: [0-9a-f]{40}, on @.*$/;

/** Among the errors of a service, one of a script says which. Redis's code stays in front. */
function withName(error: Error, { name }: Script): Error {
  error.message = `${error.message.replace(PLACE, "")} (lua/${name}.lua)`;
  return error;
}

/** EVALSHA, and EVAL after a `SCRIPT FLUSH` or a restart. */
async function evaluate(
  client: RedisClient,
  { source, sha }: Source,
  { keys, args }: Call,
): Promise<unknown> {
  try {
    return await client.evalsha(sha, keys.length, ...keys, ...args);
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;
    return client.eval(source, keys.length, ...keys, ...args);
  }
}
