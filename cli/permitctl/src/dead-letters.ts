/** `dlq`: entries that a group could not handle. */
import {
  type DeadLetter,
  drop,
  duration,
  readDeadLetter,
  requeue,
  wantedDeadLetters,
} from "@quantum/operator";
import { type ChangeOptions, confirm } from "./confirm.ts";
import { CommandError, EXIT } from "./exit.ts";
import type { Session } from "./session.ts";
import { table } from "./terminal.ts";

export async function listDeadLetters({ access, terminal }: Session): Promise<void> {
  const letters = await Array.fromAsync(wantedDeadLetters(access));
  const data = letters.map(({ id, stream, group, reason, atMs }) => ({
    id,
    stream,
    group,
    reason,
    at_ms: atMs,
  }));
  const rows = letters.map(({ id, stream, group, reason, atMs }) => [
    id,
    duration(access.nowMs() - atMs),
    stream,
    group,
    reason,
  ]);
  terminal.print(
    data,
    rows.length === 0 ? ["No dead letters."] : table([["id", "age", "stream", "group", "reason"], ...rows]),
  );
}

export async function showDeadLetter(session: Session, id: string): Promise<void> {
  const letter = await letterOf(session, id);
  session.terminal.print({ id, ...letter.fields }, table(Object.entries({ id, ...letter.fields })));
}

/** Makes the entry pending again for its group. */
export async function requeueDeadLetter(session: Session, id: string, options: ChangeOptions): Promise<void> {
  const letter = await letterOf(session, id);
  const mandate = await confirm(session, options, [
    `${letter.group} gets ${letter.fields["entry_id"]} of ${letter.stream} again. It gave up the entry because: ${letter.reason}`,
  ]);
  const done = await requeue(session.access, letter, mandate);
  if (done === "trimmed")
    throw new CommandError(
      EXIT.no,
      `${letter.fields["entry_id"]} is no longer in ${letter.stream}; nothing was changed`,
    );
  if (done === "not found") throw notFound(id);
  session.terminal.print({ id, requeued: true }, [`Requeued: ${letter.group} takes it over within seconds.`]);
}

export async function dropDeadLetter(session: Session, id: string, options: ChangeOptions): Promise<void> {
  const letter = await letterOf(session, id);
  const mandate = await confirm(session, options, [
    `To be dropped permanently: ${letter.stream}, ${letter.reason}`,
  ]);
  if (!(await drop(session.access, letter, mandate))) throw notFound(id);
  session.terminal.print({ id, dropped: true }, ["Dropped; the audit entry keeps its text."]);
}

async function letterOf({ access }: Session, id: string): Promise<DeadLetter> {
  if (!/^\d+-\d+$/.test(id))
    throw new CommandError(
      EXIT.usage,
      `dead letter id ${JSON.stringify(id)}: must be an id such as 1769301008977-0`,
    );
  const letter = await readDeadLetter(access, id);
  if (letter === undefined) throw notFound(id);
  return letter;
}

function notFound(id: string): CommandError {
  return new CommandError(EXIT.no, `there is no dead letter ${id}`);
}
