/**
 * The commands of one recorded plan, written for many plans in Redis's wire format. Under load the services combine
 * calls of one script and acknowledgements; the same is done here, as much as they ever do.
 */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createKeys, planId } from "@quantum/contract";
import { loadScript, packCalls, type Source } from "@quantum/lua";
import type { RedisClient } from "@quantum/redis";
import { GROUPS, type StreamName } from "@quantum/topology";

export type Command = readonly string[];

const keys = createKeys();
/** The services' largest read. */
const READ_COUNT = 256;
/** The most calls that the services combine in one EVALSHA. */
const GATHERED = 64;
/** Reads come in batches and backlog checks ten times a second, so neither belongs to a single plan. */
const NOT_A_PLANS_OWN = /^(xread|xreadgroup|xinfo|xpending|ping|info|hello|client|monitor|auth|select)$/i;
/** All permits come before the results here, so the sum of reservations would exceed the position's limits. Counts are no text. */
const ANY_MAX = `"max":"${Number.MAX_SAFE_INTEGER}"`;

/** What differs between plans. Ids in two streams may be equal, so each has its own placeholder. */
interface Ids {
  plan: string;
  /** The entries of the proposal, the plan and the result. */
  proposal: string;
  attempt: string;
  result: string;
}

export class LimitScript {
  readonly plans: number;
  /** The ids of the current replay. */
  #ids: Ids[] = [];
  readonly #opening: readonly Command[];
  readonly #permitting: readonly Command[];
  readonly #settling: readonly Command[];

  constructor(recorded: readonly Command[], plans: number) {
    this.plans = plans;
    const own = recorded.filter(([name = ""]) => !NOT_A_PLANS_OWN.test(name));
    const was = idsOf(own);
    if (Object.values(was).includes(""))
      throw new Error(`the recorded plan is not whole: ${JSON.stringify(was)}`);
    const template = own.map((command) => templateOf(command, was));
    const has = (command: Command, id: keyof Ids) => command.some((arg) => arg.includes(PLACE[id]));
    this.#settling = template.filter((command) => has(command, "result"));
    // The script that opens a plan has no attempt yet, but has `apply.plan` among its keys.
    this.#opening = template.filter(
      (command) =>
        command[0]?.toLowerCase() === "xadd" ||
        (command.includes(keys.streams.plan) && !has(command, "attempt")),
    );
    this.#permitting = template.filter(
      (command) => !this.#opening.includes(command) && !this.#settling.includes(command),
    );
  }

  get commandsPerPlan(): number {
    return this.#opening.length + this.#permitting.length + this.#settling.length;
  }

  opening(): string {
    this.#ids = Array.from({ length: this.plans }, (_, i) => ({
      plan: planId({
        symbol: "BENCH",
        harvestAction: "PARTIAL_25",
        killScore: 0,
        newSlProposed: i,
        computedAtUtc: String(Date.now()),
      }),
      proposal: "",
      attempt: "",
      result: "",
    }));
    return this.#write(this.#opening);
  }

  async permitting(
    redis: RedisClient,
    opened: { proposals: readonly string[]; attempts: readonly string[] },
  ): Promise<string> {
    this.#learn("proposal", opened.proposals);
    this.#learn("attempt", opened.attempts);
    const symbol = symbolOf(this.#permitting);
    // P3.3's permits name the state they were decided from. It stays the same until the results arrive.
    const releases = (await redis.hget(keys.reservations("p33", symbol).totals, "releases")) ?? "0";
    const commands = this.#permitting.map((command) =>
      command.map((arg) =>
        arg.startsWith('[{"')
          ? arg.replaceAll(/"max":"\d+"/g, ANY_MAX).replaceAll(/"as_of":"\d+"/g, `"as_of":"${releases}"`)
          : arg,
      ),
    );
    return this.#reads(["proposal", "plan"]) + this.#write(commands);
  }

  settling(results: readonly string[]): string {
    this.#learn("result", results);
    return this.#reads(["permit", "result"]) + this.#write(this.#settling);
  }

  #learn(what: keyof Ids, values: readonly string[]): void {
    for (const [index, ids] of this.#ids.entries()) ids[what] = values[index] ?? "";
  }

  #reads(streams: readonly StreamName[]): string {
    const commands = streams.flatMap((stream) =>
      GROUPS.filter((group) => group.stream === stream).flatMap(({ group }) =>
        Array.from({ length: Math.ceil(this.plans / READ_COUNT) }, () => [
          "XREADGROUP",
          "GROUP",
          group,
          "bench",
          "COUNT",
          String(READ_COUNT),
          "STREAMS",
          keys.streams[stream],
          ">",
        ]),
      ),
    );
    return commands.map(encode).join("");
  }

  #write(commands: readonly Command[]): string {
    const parts: string[] = [];
    for (let first = 0; first < this.plans; first += GATHERED) {
      const ofPlans = this.#ids.slice(first, first + GATHERED);
      for (const command of commands) {
        const filled = ofPlans.map((ids) => command.map((arg) => fill(arg, ids)));
        parts.push(...gather(filled).map(encode));
      }
    }
    return parts.join("");
  }
}

const PLACE: Ids = { plan: "{plan}", proposal: "{proposal}", attempt: "{attempt}", result: "{result}" };

function templateOf(command: Command, was: Ids): Command {
  const isProposals = command.includes(keys.streams.proposal);
  const isSettlement = command[0]?.toLowerCase() === "evalsha" && command[3] === keys.streams.result;
  // A settlement names the result first, then the attempt.
  const resultAt = isSettlement ? command.indexOf(was.result) : -1;
  return command.map((arg, index) => {
    if (index === resultAt) return PLACE.result;
    const [entry, place] = isProposals ? [was.proposal, PLACE.proposal] : [was.attempt, PLACE.attempt];
    return arg.replaceAll(was.plan, PLACE.plan).replaceAll(entry, place);
  });
}

function fill(arg: string, ids: Ids): string {
  if (!arg.includes("{")) return arg;
  return arg
    .replaceAll(PLACE.plan, ids.plan)
    .replaceAll(PLACE.proposal, ids.proposal)
    .replaceAll(PLACE.attempt, ids.attempt)
    .replaceAll(PLACE.result, ids.result);
}

function idsOf(commands: readonly Command[]): Ids {
  const acked = (stream: string) =>
    commands.find(([name = "", key]) => name.toLowerCase() === "xack" && key === stream)?.[3] ?? "";
  const script = (part: string) =>
    commands.find((command) => command.some((arg) => arg.includes(part))) ?? [];
  const issue = script('allow": true');
  const planKey = script(keys.plan("")).find((arg) => arg.startsWith(keys.plan(""))) ?? "";
  const entryId = (command: Command) => command.find((arg) => /^\d{13}-\d+$/.test(arg)) ?? "";
  const settle = commands.find(
    ([name = "", , , key]) => name.toLowerCase() === "evalsha" && key === keys.streams.result,
  );
  return {
    plan: planKey.slice(keys.plan("").length),
    proposal: acked(keys.streams.proposal),
    attempt: entryId(issue),
    result: entryId(settle ?? []),
  };
}

const LUA = join(import.meta.dirname, "../../lua");

/** Each script's source for a batch, by the sha of that for a lone call. */
const BATCHES: ReadonlyMap<string, Source> = new Map(
  globSync("**/*.lua", { cwd: LUA })
    .filter((file) => /^-- REPLY$/m.test(readFileSync(join(LUA, file), "utf8")))
    .map((file) => loadScript(file.slice(0, -".lua".length)))
    .map(({ lone, batch }) => [lone.sha, batch]),
);

/** Whether it runs a script for several calls at once: a plan whose steps met another's is no template. */
export function isBatch([name = "", sha = ""]: Command): boolean {
  return name.toLowerCase() === "evalsha" && !BATCHES.has(sha);
}

/** So that Redis knows what {@link LimitScript} calls, whether or not the services have called it. */
export async function loadBatches(redis: RedisClient): Promise<void> {
  for (const { source } of BATCHES.values()) await redis.script("LOAD", source);
}

/** Combines the same command of several plans as the services do. */
function gather(commands: readonly Command[]): readonly Command[] {
  const [name = "", what = "", third = ""] = commands[0] ?? [];
  if (name.toLowerCase() === "xack")
    return [[name, what, third, ...commands.flatMap((command) => command.slice(3))]];
  if (name.toLowerCase() !== "evalsha") return commands;
  const { keys, args } = packCalls(
    commands.map(([, , count, ...rest]) => ({
      keys: rest.slice(0, Number(count)),
      args: rest.slice(Number(count)),
    })),
  );
  return [[name, BATCHES.get(what)?.sha ?? what, String(keys.length), ...keys, ...args]];
}

function symbolOf(commands: readonly Command[]): string {
  const text = commands.flat().find((arg) => /^BENCH\d+USDT$/.test(arg));
  if (text === undefined) throw new Error("the recorded plan names no symbol");
  return text;
}

function encode(command: Command): string {
  return `*${command.length}\r\n${command.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join("")}`;
}
