/** What a drill found: the executor reads the whole account, and neither cancels nor sends anything. */
import { type ExitReport, exitReport } from "@quantum/contract";
import { z } from "zod";
import type { OpenAccess } from "../access.ts";
import type { Mandate } from "../changes.ts";
import type { ExitSigner } from "../open-exit.ts";
import { whyOf } from "./course.ts";
import { DRILL, type ExitResult, openedExit, type Sight, watchExit } from "./plan.ts";
import { FIRST_WAIT_MS, nextWaitMs, pausedMs, waitOut } from "./wait.ts";

export type Drilled =
  | { kind: "report"; report: ExitReport }
  /** The executor refused it. */
  | { kind: "refused"; why: string }
  /** No executor took it in time. */
  | { kind: "nobody" }
  | { kind: "interrupted" };

/** @param tell what happens meanwhile */
export async function drill(
  access: OpenAccess,
  signer: ExitSigner,
  by: Mandate,
  stop: AbortSignal,
  tell: (sight: Sight) => void,
): Promise<Drilled> {
  const opening = openedExit(access, signer, DRILL, by, stop);
  let opened = await opening.next();
  for (; opened.done !== true; opened = await opening.next()) tell(opened.value);
  if (opened.value === undefined) return { kind: "interrupted" };
  for await (const sight of watchExit(access, opened.value, stop)) {
    if (sight.kind === "ended") return drilledOf(sight.result);
    if (sight.kind === "nobody" || sight.kind === "lost") return { kind: "nobody" };
    if (sight.kind !== "abandoned") tell(sight);
  }
  return { kind: "interrupted" };
}

/** How often the account is asked for whatever it does not tell beside its positions. */
const TRIES_FOR_ALL = 3;

/** Drills until the executor could read the account: what cannot be read is not empty. */
export async function readAccount(
  access: OpenAccess,
  signer: ExitSigner,
  by: Mandate,
  stop: AbortSignal,
  tell: (sight: Sight) => void,
): Promise<Drilled> {
  let waitMs = FIRST_WAIT_MS;
  for (let tries = 1; ; tries += 1, waitMs = nextWaitMs(waitMs)) {
    const drilled = await drill(access, signer, by, stop, tell);
    if (drilled.kind !== "report" || drilled.report.complete || stop.aborted) return drilled;
    // The positions are known. What else cannot be read must not keep them open.
    if (drilled.report.positions.length > 0 && tries >= TRIES_FOR_ALL) return drilled;
    const forMs = Math.max(waitMs, await pausedMs(access));
    tell({ kind: "unread", why: drilled.report.hindrances.join("; "), waitMs: forMs });
    await waitOut(access, forMs, stop);
  }
}

function drilledOf(result: ExitResult): Drilled {
  if (result.report === "") return { kind: "refused", why: whyOf(result) };
  const parsed = exitReport.safeParse(jsonOf(result.report));
  return parsed.success
    ? { kind: "report", report: parsed.data }
    : { kind: "refused", why: `its report cannot be read: ${z.prettifyError(parsed.error)}` };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
