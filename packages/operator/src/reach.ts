/** What of several partitions answers now, for a screen that shows what it can. */
import { dispositionOf, readFacts, type RedisFacts } from "@quantum/redis";
import { type Partition, Partitions } from "@quantum/service-kit";
import type { OpenAccess } from "./access.ts";
import type { Place } from "./place.ts";
import { placesOf } from "./places.ts";

/** To the partitions that answer: what is asked of all is asked of them. */
export interface ReachedAccess extends Omit<OpenAccess, "intake"> {
  /** Undefined if it does not answer. */
  readonly intake: Place | undefined;
}

export interface Reach {
  access: ReachedAccess;
  /** Whether the symbol's partition answers. */
  has: (symbol: string) => boolean;
  /** Whether the partition answers where what belongs to the exchange's account is. */
  hasAccount: boolean;
  /** Of the servers that answer, each once. */
  facts: readonly [RedisFacts, ...RedisFacts[]];
  /** What does not answer, a sentence each. */
  silent: readonly string[];
}

/** @throws what was answered with an error; and if nobody answers, why */
export async function reachOf(access: OpenAccess): Promise<Reach> {
  const places = placesOf(access);
  const asked = await Promise.allSettled(places.map(({ redis }) => readFacts(redis)));
  const silent = new Map<string, Error>();
  const facts = new Map<string, RedisFacts>();
  for (const [at, outcome] of asked.entries()) {
    if (outcome.status === "fulfilled") facts.set(outcome.value.runId, outcome.value);
    else if (dispositionOf(outcome.reason).kind === "passes")
      silent.set(places[at]?.name ?? "", outcome.reason as Error);
    else throw outcome.reason;
  }
  const [first, ...others] = facts.values();
  if (first === undefined) throw [...silent.values()][0];
  const { partitions, intake } = access;
  const answers = ({ name }: Partition) => !silent.has(name);
  return {
    access:
      silent.size === 0
        ? access
        : {
            ...access,
            partitions: new Answering(partitions, answers),
            intake: silent.has("intake") ? undefined : intake,
          },
    has: (symbol) => answers(partitions.of(symbol)),
    hasAccount: answers(partitions.account),
    facts: [first, ...others],
    silent: [...silent].map(([name, { message }]) => `${nameText(name)} does not answer: ${message}`),
  };
}

function nameText(name: string): string {
  return name === "intake" ? "the intake of proposals" : `partition ${name}`;
}

/** Some of the partitions. Which symbol belongs to which is as before. */
class Answering extends Partitions {
  readonly #whole: Partitions;

  constructor(whole: Partitions, answers: (partition: Partition) => boolean) {
    // Where only the intake answers, there is none; but a list cannot be empty.
    const [first = whole.account, ...others] = whole.all.filter(answers);
    super([first, ...others]);
    this.#whole = whole;
  }

  override of(symbol: string): Partition {
    return this.#whole.of(symbol);
  }

  override get account(): Partition {
    return this.#whole.account;
  }
}
