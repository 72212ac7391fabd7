/** `status`: the pipeline on one screen, once or again and again. */
import { setTimeout as delay } from "node:timers/promises";
import { askAt, type Overview, OverviewMemory, readOverview, whyNoPipeline } from "@quantum/operator";
import { type AddressOptions, addressesOf } from "./addresses.ts";
import { CommandError, EXIT } from "./exit.ts";
import { type Session, told } from "./session.ts";
import { type Away, statusData } from "./status-data.ts";
import { fitted, whole } from "./status-screen.ts";

export interface StatusOptions extends AddressOptions {
  follow?: boolean;
}

const FOLLOW_MS = 2_000;

export async function status(session: Session, options: StatusOptions, stop: AbortSignal): Promise<void> {
  if (options.follow === true) return follow(session, options, stop);
  const { terminal } = session;
  const overview = await look(session, options);
  terminal.print(statusData(overview), whole(overview, terminal.size?.columns));
  throwIfWrong(overview);
}

/** What a script learns of the screen that people saw. */
function throwIfWrong({ groups, silent }: Overview, away?: Away): void {
  if (away !== undefined) throw new CommandError(EXIT.unreachable, away.problem);
  if (silent.length > 0) throw new CommandError(EXIT.unreachable, silent.join("; "));
  const missing = whyNoPipeline(groups);
  if (missing !== undefined) throw new CommandError(EXIT.no, missing);
}

async function look(
  session: Session,
  options: StatusOptions,
  memory = new OverviewMemory(),
): Promise<Overview> {
  const { urls = [], hints = [] } = addressesOf(options, session);
  memory.probes.learn(await askAt([...hints, ...urls]));
  return readOverview(session.access, memory);
}

/**
 * Goes on until `stop` is aborted, also while Redis does not answer. The first answer must come: without it there is
 * nothing to show.
 */
async function follow(session: Session, options: StatusOptions, stop: AbortSignal): Promise<void> {
  const { terminal } = session;
  const memory = new OverviewMemory();
  let last = await look(session, options, memory);
  let away: Away | undefined;
  const show = () => {
    const { size } = terminal;
    if (size !== undefined) terminal.screen(fitted(last, size, away));
    else terminal.print(statusData(last, away), whole(last, undefined, away));
  };
  const stopped = new Promise<never>((_, reject) => {
    stop.addEventListener("abort", () => reject(stop.reason as Error), { once: true });
  });
  stopped.catch(() => undefined);
  const noMoreResizes = terminal.onResize(() => terminal.size !== undefined && show());
  try {
    for (;;) {
      show();
      await delay(FOLLOW_MS, undefined, { signal: stop });
      try {
        // A command to a Redis that hangs ends after seconds; Ctrl-C is not made to wait for it.
        last = await Promise.race([look(session, options, memory), stopped]);
        away = undefined;
      } catch (error) {
        if (stop.aborted) throw error;
        away = await awayBy(session, error as Error, away?.sinceMs ?? last.atMs);
      }
    }
  } catch (error) {
    if (stop.aborted) throwIfWrong(last, away);
    throw error;
  } finally {
    noMoreResizes();
  }
}

/** @throws the error itself if it does not pass: a Redis that refuses does not change its mind */
async function awayBy({ access }: Session, error: Error, sinceMs: number): Promise<Away> {
  const problem = await access.problemOf(error);
  if (problem === undefined) throw error;
  const ended = told({ url: access.url, message: error.message }, problem);
  if (ended.exit !== EXIT.unreachable) throw ended;
  return { sinceMs, nowMs: access.nowMs(), problem: ended.message };
}
