/** The kill switch and the disarm as an operator changes them: in every partition, each by a step of its own. */
import { type AllHalts, readAllHalts, whereText } from "./all-halts.ts";
import { duration } from "./duration.ts";
import { missingText, namesOf, type Reached } from "./everywhere.ts";
import { clearDisarmEverywhere, endHaltEverywhere, haltEverywhere } from "./halt-everywhere.ts";
import { disarmText, killText } from "./halt-texts.ts";
import { fingerprint, type Operation, sameAsShown } from "./operation.ts";
import { Refusal } from "./refusal.ts";

export const WHAT_KILL_ON_MEANS =
  "No plan opens, no permit is granted or spent and no order is claimed. An order that was sent before is not cancelled.";
const WHAT_GOES_ON = "Plans open, permits are granted and spent, and orders are sent again";

export const killOn: Operation<object> = {
  preview: async () => ({ text: `The kill switch goes ON. ${WHAT_KILL_ON_MEANS}`, shown: "" }),
  async run(access, _, by, _shown, patience) {
    const { changed, recorded, reached } = await haltEverywhere(access, by, patience);
    refuseIfMissing("The kill switch is ON", reached);
    const unrecorded = recorded
      ? ""
      : " No audit entry could be written: this Redis user may halt and nothing else.";
    return `The kill switch ${changed ? "is" : "was already"} ON${placesText(reached)}. ${WHAT_KILL_ON_MEANS}${unrecorded}`;
  },
};

export const killOff: Operation<object> = {
  async preview(access) {
    const halts = await readAllHalts(access);
    if (halts.on.length === 0) throw offAlready(halts);
    const { killSwitch, disarm } = halts;
    const record = halts.record ?? { who: undefined, atMs: undefined, reason: "" };
    const since = record.atMs === undefined ? "" : ` for ${duration(access.nowMs() - record.atMs)}`;
    const left =
      disarm === null ? "" : `, once the disarm is cleared as well: ${disarmText(disarm, access.nowMs())}`;
    const where = whereText(halts);
    return {
      text: `The kill switch goes OFF. ${WHAT_GOES_ON}${left}. It has been on${since}, ${killText(killSwitch, record)}${where && ` (it ${where})`}.`,
      // A disarm that is cleared meanwhile would no longer keep orders back; and who halts again has given a new reason.
      shown: fingerprint(
        ...halts.on.flatMap(({ place, halts: { killSwitch: its } }) => [place.name, its.value]),
        record,
        ...shownOf(halts),
      ),
    };
  },
  async run(access, args, by, shown, patience) {
    await sameAsShown(this, access, args, shown);
    const reached = await endHaltEverywhere(access, by, patience);
    refuseIfMissing("The kill switch is off", reached);
    if (!reached.done.some(({ result }) => result)) throw new Refusal("the kill switch is off already");
    return `The kill switch is off${placesText(reached)}.`;
  },
};

function offAlready(halts: AllHalts): Refusal {
  const where = whereText(halts);
  return new Refusal(`the kill switch is off already${where && `; it ${where}`}`);
}

export const disarmClear: Operation<object> = {
  async preview(access) {
    const halts = await readAllHalts(access);
    const { disarm, disarmed, unread } = halts;
    if (disarm === null)
      throw new Refusal(
        `no disarm is in force${unread.length === 0 ? "" : `, as far as is known: ${missingText(unread)} cannot be read`}`,
      );
    const isOne = disarmed[0]?.place.name === "";
    return {
      text: `The disarm is cleared${isOne ? "" : ` in ${namesOf(disarmed)}`}. ${WHAT_GOES_ON}, unless the kill switch is on. Disarmed: ${disarmText(disarm, access.nowMs())}.`,
      shown: fingerprint(...shownOf(halts)),
    };
  },
  async run(access, _, by, shown, patience) {
    const halts = await readAllHalts(access);
    if (halts.disarm === null) throw new Refusal("no disarm is in force");
    if (shown !== undefined && shown !== fingerprint(...shownOf(halts))) throw anotherDisarm("");
    const cleared = await clearDisarmEverywhere(halts.disarmed, by, patience);
    const others = cleared.done.filter(({ result }) => !result);
    if (others.length > 0) throw anotherDisarm(cleared.done.length === 1 ? "" : ` in ${namesOf(others)}`);
    // What could not be read may be disarmed as well.
    const unread = halts.unread.filter(({ place }) => place.name !== "");
    refuseIfMissing("The disarm is cleared", { ...cleared, missing: [...cleared.missing, ...unread] });
    return `The disarm is cleared${placesText(cleared)}.`;
  },
};

function anotherDisarm(where: string): Refusal {
  return new Refusal(
    `the disarm${where} is no longer the one that was shown; nothing was changed${where && " there"}`,
  );
}

function shownOf({ disarmed }: AllHalts): string[] {
  const texts = disarmed.flatMap(({ place, halts: { shown } }) => [place.name, shown.disarm, shown.today]);
  return texts.length === 0 ? [""] : texts;
}

/** As in " in q0, q1 and the wire's key"; empty with one partition. */
export function placesText({ done }: Reached<unknown>): string {
  return done[0]?.place.name === "" ? "" : ` in ${namesOf(done)}`;
}

/** What a change that came about in part says. */
export function partlyText(what: string, reached: Reached<unknown>): string {
  const { done, missing } = reached;
  const where = done.length === 0 ? " nowhere" : placesText(reached);
  return `${what}${where}, and not known to be in ${missingText(missing)}`;
}

function refuseIfMissing(what: string, reached: Reached<unknown>): void {
  if (reached.missing.length > 0) throw new Refusal(`${partlyText(what, reached)}: repeat it`);
}
