/** One recorded plan's commands, written down for many plans in the wire format of Redis. */
import { createKeys, planId } from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";

export type Command = readonly string[];

const keys = createKeys();
/** The services' largest read. */
const READ_COUNT = 256;
/** Reads come in batches, looks at the backlog ten times a second: neither is a plan's own. */
const NOT_A_PLANS_OWN = /^(xread|xreadgroup|xinfo|xpending|ping|info|hello|client|monitor|auth|select)$/i;
/** Sums of promises would run into the position's limits: results come after all permits here. */
const ANY_MAX = `"max":${Number.MAX_SAFE_INTEGER}`;

const GROUPS = {
  proposal: ["apply-layer"],
  plan: ["governor", "p33"],
  permit: ["apply-layer"],
  result: ["governor", "p33", "apply-layer"],
} as const;

export class LimitScript {
  readonly plans: number;
  /** Of the replay under way. */
  #ids: readonly string[] = [];
  readonly #opening: readonly Command[];
  readonly #permitting: readonly Command[];
  readonly #settling: readonly Command[];
  readonly #was: { planId: string; proposal: string; attempt: string; result: string };

  constructor(recorded: readonly Command[], plans: number) {
    this.plans = plans;
    const own = recorded.filter(([name = ""]) => !NOT_A_PLANS_OWN.test(name));
    this.#was = idsOf(own);
    const { proposal, attempt, result } = this.#was;
    const settling = own.filter((command) => command.includes(result));
    const opening = own.filter((command) => isOpening(command, this.#was.planId, attempt));
    this.#opening = opening;
    this.#settling = settling;
    this.#permitting = own.filter((command) => !opening.includes(command) && !settling.includes(command));
    if (proposal === "" || attempt === "" || result === "")
      throw new Error(`the recorded plan is not whole: ${JSON.stringify(this.#was)}`);
  }

  get commandsPerPlan(): number {
    return this.#opening.length + this.#permitting.length + this.#settling.length;
  }

  opening(): string {
    this.#ids = Array.from({ length: this.plans }, (_, i) =>
      planId({
        symbol: "BENCH",
        harvestAction: "PARTIAL_25",
        killScore: 0,
        newSlProposed: i,
        computedAtUtc: String(Date.now()),
      }),
    );
    return this.#write(this.#opening, () => []);
  }

  async permitting(
    redis: RedisClient,
    opened: { proposals: readonly string[]; attempts: readonly string[] },
  ): Promise<string> {
    const { proposal, attempt } = this.#was;
    const symbol = symbolOf(this.#permitting);
    // P3.3's permits name the state that they were decided from, which stays as it is until the results come.
    const releases = (await redis.hget(keys.reservations("p33", symbol).totals, "releases")) ?? "0";
    const commands = this.#permitting.map((command) =>
      command.map((arg) =>
        arg.startsWith('[{"')
          ? arg.replaceAll(/"max":\d+/g, ANY_MAX).replaceAll(/"as_of":"\d+"/g, `"as_of":"${releases}"`)
          : arg,
      ),
    );
    return (
      this.#reads(["proposal", "plan"]) +
      this.#write(commands, (i) => [
        [proposal, opened.proposals[i] ?? ""],
        [attempt, opened.attempts[i] ?? ""],
      ])
    );
  }

  settling(results: readonly string[]): string {
    return (
      this.#reads(["permit", "result"]) +
      this.#write(this.#settling, (i) => [[this.#was.result, results[i] ?? ""]])
    );
  }

  #reads(streams: readonly (keyof typeof GROUPS)[]): string {
    const commands = streams.flatMap((stream) =>
      GROUPS[stream].flatMap((group) =>
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

  #write(commands: readonly Command[], idsOfPlan: (index: number) => [was: string, is: string][]): string {
    return this.#ids
      .map((id, index) => {
        const replaced: [string, string][] = [[this.#was.planId, id], ...idsOfPlan(index)];
        const text = commands.map((command) =>
          encode(command.map((arg) => replaced.reduce((all, [was, is]) => all.replaceAll(was, is), arg))),
        );
        return text.join("");
      })
      .join("");
  }
}

function idsOf(commands: readonly Command[]): {
  planId: string;
  proposal: string;
  attempt: string;
  result: string;
} {
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
    planId: planKey.slice(keys.plan("").length),
    proposal: acked(keys.streams.proposal),
    attempt: entryId(issue),
    result: entryId(settle ?? []),
  };
}

/** The proposal, and the script that opens its plan: it names no attempt yet, but `apply.plan` among its keys. */
function isOpening(command: Command, planId: string, attempt: string): boolean {
  const name = command[0]?.toLowerCase();
  if (name === "xadd" || name === "sadd") return true;
  const isOfPlan = command.includes(keys.plan(planId)) && command.includes(keys.streams.plan);
  return name === "evalsha" && isOfPlan && !command.includes(attempt);
}

function symbolOf(commands: readonly Command[]): string {
  const text = commands.flat().find((arg) => /^BENCH\d+USDT$/.test(arg));
  if (text === undefined) throw new Error("the recorded plan names no symbol");
  return text;
}

function encode(command: Command): string {
  return `*${command.length}\r\n${command.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join("")}`;
}
