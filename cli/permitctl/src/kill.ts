/**
 * `kill`: the kill switch. Turning it on is one action: it asks nothing, needs no reason, and works under the Redis user
 * `halt` as well. Turning it off is a change like any other.
 */
import {
  giveKillReason,
  halt,
  operations,
  readGroups,
  readHalts,
  WHAT_KILL_ON_MEANS,
  whyNoPipeline,
} from "@quantum/operator";
import { styled } from "@quantum/service-kit";
import { type ChangeOptions, confirm, whoAmI } from "./confirm.ts";
import { CommandError, EXIT } from "./exit.ts";
import type { Session } from "./session.ts";

const NEXT = "To go on: permitctl kill off. To close what is open: permitctl flatten --all.";

export async function killOn(
  { access, terminal }: Session,
  { reason: given }: Pick<ChangeOptions, "reason">,
): Promise<void> {
  const reason = given?.trim() ?? "";
  const { changed, recorded } = await halt(access.partitions.account, { who: whoAmI(), reason });
  terminal.print({ kill_switch: "on", changed, recorded }, [
    styled("bold", changed ? "The kill switch is ON." : "The kill switch was ON already."),
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

export async function killOff(session: Session, options: ChangeOptions): Promise<void> {
  const { access, terminal } = session;
  if (!(await readHalts(access.partitions.account)).killSwitch.on) {
    terminal.print({ kill_switch: "off", changed: false }, ["The kill switch was off already."]);
    return;
  }
  const { text, shown } = await operations["kill-off"].preview(access, {});
  const mandate = await confirm(session, options, [text]);
  const done = await operations["kill-off"].run(access, {}, mandate, shown);
  terminal.print({ kill_switch: "off", changed: true }, [done]);
}

export async function killReason({ access, terminal }: Session, text: string): Promise<void> {
  const reason = text.trim();
  if (reason === "") throw new CommandError(EXIT.usage, "the reason is empty; nothing was recorded");
  await giveKillReason(access.partitions.account, { who: whoAmI(), reason });
  terminal.print({ recorded: true, reason }, [
    "Recorded: `permitctl status` shows it while the switch is on.",
  ]);
}
