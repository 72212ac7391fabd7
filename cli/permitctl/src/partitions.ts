/** `partitions`: how many there are, what each holds, and the change of their number. */
import { lookBefore, migrate, NotMigrated, type PartitionsState, readPartitions } from "@quantum/operator";
import { type ChangeOptions, confirm } from "./confirm.ts";
import { CommandError, EXIT } from "./exit.ts";
import { table } from "./layout.ts";
import type { Session } from "./session.ts";

export async function listPartitions({ access, terminal }: Session): Promise<void> {
  const states = await readPartitions(access);
  const data = states.map(({ number, server, keys, killSwitch, disarmed, problem }) => ({
    partition: number,
    server,
    keys,
    kill_switch: killSwitch ? "on" : "off",
    disarmed,
    ...(problem !== "" && { problem }),
  }));
  const rows = states.map(({ number, server, keys, killSwitch, disarmed, problem }) =>
    problem === ""
      ? [String(number), server, String(keys), killSwitch ? "ON" : "off", disarmed ? "DISARMED" : "no"]
      : [String(number), server, `does not answer: ${problem}`],
  );
  const silent = states.filter(({ problem }) => problem !== "");
  terminal.print({ partitions: states.length, each: data }, [
    `${states.length} ${states.length === 1 ? "partition" : "partitions"}`,
    ...table([["PARTITION", "SERVER", "KEYS", "KILL SWITCH", "DISARMED"], ...rows]),
  ]);
  if (silent.length > 0)
    throw new CommandError(
      EXIT.unreachable,
      `partition ${silent.map(({ number }) => number).join(", ")}: no answer`,
    );
}

export interface MigrateCommandOptions extends ChangeOptions {
  to: number;
}

/** For as long as no service runs. */
export async function migratePartitions(session: Session, options: MigrateCommandOptions): Promise<void> {
  const { access, terminal } = session;
  const { to } = options;
  try {
    const { state, problems } = await lookBefore(access, to);
    if (problems.length > 0) throw new NotMigrated(problems.join("; "));
    if (state.kind === "settled" && state.count === to) {
      terminal.print({ partitions: to, changed: false }, [`There ${are(to)} already.`]);
      return;
    }
    const by = await confirm(session, options, [whatIsDone(state, to)]);
    const { copied, deleted } = await migrate(access, { to, by });
    terminal.print({ partitions: to, changed: true, copied, deleted }, [
      `There ${are(to)}: ${copied} keys copied, ${deleted} deleted. Set PARTITIONS=${to} for every service, then start them.`,
    ]);
  } catch (error) {
    if (error instanceof NotMigrated) throw new CommandError(EXIT.no, error.message);
    throw error;
  }
}

function are(count: number): string {
  return count === 1 ? "is 1 partition" : `are ${count} partitions`;
}

function whatIsDone(state: PartitionsState, to: number): string {
  const begun =
    state.kind === "settled"
      ? `There ${are(state.count)}.`
      : `A change from ${state.from} to ${state.to} was begun and has not ended.`;
  return `${begun} Orders, spent marks, books, halts, streams and records are copied for ${to}, compared, and deleted where they were. Start no service meanwhile; a run that ends early is run again.`;
}
