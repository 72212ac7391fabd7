/**
 * The changes that an operator makes, with the texts that say what each would do and what it did: `permitctl` and the
 * console use the same. Each is on record in the step that changes it (changes.ts).
 */
import type { OpenAccess } from "./access.ts";
import { type Forced, resumeExchange } from "./changes.ts";
import { dropLetters, type Handled, readDeadLetter, requeueLetters } from "./dead-letters.ts";
import { forceFound } from "./force-found.ts";
import { disarmClear, killOff, killOn } from "./halt-operations.ts";
import { holdText, pauseText } from "./halt-texts.ts";
import { acceptHold, type Hold, readHold } from "./holds.ts";
import { changedMeanwhile, fingerprint, type Operation, sameAsShown } from "./operation.ts";
import { readPauses } from "./pauses.ts";
import { Refusal } from "./refusal.ts";

const exchangeResume: Operation<object> = {
  async preview(access) {
    const pauses = await readPauses(access.partitions.account);
    if (pauses.length === 0) throw new Refusal("the exchange has asked for no pause, or it is over");
    return {
      text: [
        ...pauses.map((pause) => `The exchange ${pauseText(pause)}.`),
        "The pause is ended: every service sends requests again within a second.",
        "A request during a ban lengthens it, unless the ban is for another address or account.",
      ].join(" "),
      shown: fingerprint(...pauses.flatMap(({ scope, sinceMs, reason }) => [scope, sinceMs, reason])),
    };
  },
  async run(access, args, by, shown) {
    await sameAsShown(this, access, args, shown);
    if (!(await resumeExchange(access.partitions.account, by)))
      throw new Refusal("the exchange has asked for no pause, or it is over");
    return "The pause is ended: every service sends requests again within a second.";
  },
};

const holdAccept: Operation<{ symbol: string }> = {
  async preview(access, { symbol }) {
    const hold = await heldNow(access, symbol);
    return {
      text: `The exchange's position of ${symbol} is accepted as right, even where the account's trades contradict it: the ledger is reset to it, and P3.3 permits closes of the symbol again. Held: ${holdText(hold, access.nowMs())}.`,
      shown: fingerprintOf(hold),
    };
  },
  async run(access, { symbol }, by, shown) {
    const hold = await heldNow(access, symbol);
    if (shown !== undefined && shown !== fingerprintOf(hold)) throw changedMeanwhile();
    const { ledger, text } = await acceptHold(access, hold, by);
    if (ledger === undefined) throw new Refusal(text);
    return text;
  },
};

async function heldNow(access: OpenAccess, symbol: string): Promise<Hold> {
  const hold = await readHold(access, symbol);
  if (hold === undefined) throw new Refusal(`${symbol} is not held: snapshot and ledger match`);
  return hold;
}

function fingerprintOf({ sinceMs, exchangeAmt, ledgerAmt }: Hold): string {
  return fingerprint(sinceMs, exchangeAmt, ledgerAmt);
}

/** What forcing a plan does, or why it is left alone. */
export const FORCE_TEXTS: Record<Forced["kind"], string> = {
  cleared: "its dedupe mark is deleted: the next poll of the hash opens it again",
  waiting: "unchanged: it waits for its permits and gets its result first",
  order: "unchanged: its order was or may be sent, so it never opens again",
  free: "unchanged: nothing prevents it from opening",
};

const forcePlan: Operation<{ planId: string }> = {
  async preview(access, { planId }) {
    const found = await forceFound(access, planId);
    if (found.kind !== "cleared") throw new Refusal(`plan ${planId} is ${FORCE_TEXTS[found.kind]}`);
    return {
      text: `Plan ${planId} (${found.state}): ${FORCE_TEXTS.cleared}, if it is still its symbol's proposal.`,
      shown: fingerprint(found.state),
    };
  },
  async run(access, args, by, shown) {
    await sameAsShown(this, access, args, shown);
    const { planId } = args;
    const done = await forceFound(access, planId, by);
    if (done.kind !== "cleared") throw new Refusal(`plan ${planId} is ${FORCE_TEXTS[done.kind]}`);
    return `Plan ${planId} may open again: ${FORCE_TEXTS.cleared}.`;
  },
};

const requeueAll: Operation<{ ids: readonly string[] }> = {
  async preview(access, { ids }) {
    const { letters, groups } = await lettersOf(access, ids);
    return {
      text: `${letters} to be given back to ${groups}, under their own ids; the group takes them over within seconds. One that is as bad as before comes back.`,
      shown: "",
    };
  },
  async run(access, { ids }, by) {
    return handledText("requeued", await requeueLetters(access, ids, by));
  },
};

const dropAll: Operation<{ ids: readonly string[] }> = {
  async preview(access, { ids }) {
    const { letters, groups } = await lettersOf(access, ids);
    return {
      text: `${letters} of ${groups} to be deleted permanently. The audit entries keep their texts.`,
      shown: "",
    };
  },
  async run(access, { ids }, by) {
    return handledText("dropped", await dropLetters(access, ids, by));
  },
};

async function lettersOf(access: OpenAccess, ids: readonly string[]) {
  const found = await Promise.all(ids.map((id) => readDeadLetter(access, id)));
  const present = found.filter((letter) => letter !== undefined);
  if (present.length === 0) throw new Refusal("there are no such dead letters");
  const gone = ids.length - present.length;
  return {
    letters: `${present.length} dead letter${present.length === 1 ? "" : "s"}${gone === 0 ? "" : ` (${gone} more are gone)`}`,
    groups: [...new Set(present.map(({ group }) => group))].toSorted().join(", "),
  };
}

function handledText(what: string, handled: readonly Handled[]): string {
  const left = handled.filter(({ done }) => !done);
  const count = handled.length - left.length;
  if (count === 0) throw new Refusal(`nothing was ${what}: ${leftText(left)}`);
  return `${count} ${what}.${left.length === 0 ? "" : ` Left: ${leftText(left)}.`}`;
}

/** By reason, each with one of its ids. */
function leftText(left: readonly Handled[]): string {
  const byReason = Map.groupBy(left, ({ why }) => why);
  return [...byReason]
    .map(([why, letters]) => `${letters.length}, such as ${letters[0]?.id}: ${why}`)
    .join("; ");
}

export const operations = {
  "kill-on": killOn,
  "kill-off": killOff,
  "disarm-clear": disarmClear,
  "exchange-resume": exchangeResume,
  "hold-accept": holdAccept,
  force: forcePlan,
  requeue: requeueAll,
  drop: dropAll,
};

export type OperationName = keyof typeof operations;
