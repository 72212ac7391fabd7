/**
 * `kill`: the kill switch. Turning it on is one action: it asks nothing, needs no reason, and works under the Redis user
 * `halt` as well. Turning it off is a change like any other.
 */
import {
  giveKillReasonEverywhere,
  haltEverywhere,
  missingText,
  operations,
  partlyText,
  placesText,
  readAllHalts,
  readGroups,
  WHAT_KILL_ON_MEANS,
  whyNoPipeline,
} from "@quantum/operator";
import { styled } from "@quantum/service-kit";
import { type ChangeOptions, confirm, whoAmI } from "./confirm.ts";
import { CommandError, EXIT } from "./exit.ts";
import { patienceOf } from "./patience.ts";
import type { Session } from "./session.ts";

const ON = "The kill switch is ON";
const LEFT = "Where it is not on, orders can leave: repeat it";
const FOLLOWED =
  "Partitions follow the wire's key within a second, for as long as an apply-layer runs. PARTITIONS=N says how many there are";
const NEXT = "To go on: permitctl kill off. To close what is open: permitctl flatten --all.";

export async function killOn(
  { access, terminal }: Session,
  { reason: given }: Pick<ChangeOptions, "reason">,
  stop: AbortSignal,
): Promise<void> {
  const reason = given?.trim() ?? "";
  const { changed, recorded, reached } = await haltEverywhere(
    access,
    { who: whoAmI(), reason },
    patienceOf(terminal, ON, stop),
  );
  if (reached.missing.length > 0)
    throw new CommandError(
      EXIT.unreachable,
      [partlyText(ON, reached), ...(access.uncounted?.() ? [FOLLOWED] : []), LEFT].join(". "),
    );
  const where = placesText(reached);
  terminal.print({ kill_switch: "on", changed, recorded }, [
    styled("bold", changed ? `${ON}${where}.` : `The kill switch was ON already${where}.`),
    WHAT_KILL_ON_MEANS,
    ...(recorded
      ? reason === "" && changed
        ? ["When there is time, say why: permitctl kill reason TEXT"]
        : []
      : [
          "No audit entry could be written: this Redis user may halt and nothing else. Later, under the user `operator`, say who and why: permitctl kill reason TEXT",
        ]),
    NEXT,
  ]);
  // Only now: nothing comes before the switch. The Redis user `halt` may not look.
  const groups = await readGroups(access).catch(() => undefined);
  const missing = groups && whyNoPipeline(groups);
  if (missing !== undefined)
    throw new CommandError(EXIT.no, `the switch is on in Redis at ${access.url}, but ${missing}`);
}

export async function killOff(session: Session, options: ChangeOptions, stop: AbortSignal): Promise<void> {
  const { access, terminal } = session;
  const { on, unread } = await readAllHalts(access);
  if (on.length === 0 && unread.length === 0) {
    terminal.print({ kill_switch: "off", changed: false }, ["The kill switch was off already."]);
    return;
  }
  const { text, shown } = await operations["kill-off"].preview(access, {});
  const mandate = await confirm(session, options, [text]);
  const patience = patienceOf(terminal, "The kill switch is off", stop);
  const done = await operations["kill-off"].run(access, {}, mandate, shown, patience);
  terminal.print({ kill_switch: "off", changed: true }, [done]);
}

export async function killReason({ access, terminal }: Session, text: string): Promise<void> {
  const reason = text.trim();
  if (reason === "") throw new CommandError(EXIT.usage, "the reason is empty; nothing was recorded");
  const { missing } = await giveKillReasonEverywhere(access, { who: whoAmI(), reason });
  if (missing.length > 0)
    throw new CommandError(
      EXIT.unreachable,
      `the reason is not known to be recorded in ${missingText(missing)}`,
    );
  terminal.print({ recorded: true, reason }, [
    "Recorded: `permitctl status` shows it while the switch is on.",
  ]);
}
