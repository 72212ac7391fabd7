/** `dlq`: entries that a group gave up. */
import { redisNow } from "@quantum/redis";
import { addedAtMs, parseEntries } from "@quantum/streams";
import { type ChangeOptions, confirm, drop, requeue } from "./change.ts";
import { newestFirst } from "./entries.ts";
import { CommandError, EXIT } from "./exit.ts";
import type { Session } from "./session.ts";
import { duration, table } from "./terminal.ts";

interface Letter {
  id: string;
  stream: string;
  group: string;
  reason: string;
  /** The letter's own, and the entry's as `entry.<name>`. */
  fields: Record<string, string>;
}

export async function listDeadLetters({ redis, keys, terminal }: Session): Promise<void> {
  const letters: (Letter & { atMs: number })[] = [];
  for await (const entry of newestFirst(redis, keys.streams.deadLetter))
    letters.push({ ...letterOf(entry), atMs: addedAtMs(entry.id) });
  const data = letters.map(({ id, stream, group, reason, atMs }) => ({
    id,
    stream,
    group,
    reason,
    at_ms: atMs,
  }));
  const rows = letters.map(({ id, stream, group, reason, atMs }) => [
    id,
    duration(redisNow(redis) - atMs),
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
  const letter = await readLetter(session, id);
  session.terminal.print({ id, ...letter.fields }, table(Object.entries({ id, ...letter.fields })));
}

/** Gives the entry back to the group that gave it up. */
export async function requeueDeadLetter(session: Session, id: string, options: ChangeOptions): Promise<void> {
  const letter = await readLetter(session, id);
  const mandate = await confirm(session, options, [
    `${letter.group} gets ${letter.fields["entry_id"]} of ${letter.stream} again; it gave it up because: ${letter.reason}`,
  ]);
  const done = await requeue(session.redis, session.keys, letter, mandate);
  if (done === "trimmed")
    throw new CommandError(
      EXIT.no,
      `${letter.fields["entry_id"]} is no longer in ${letter.stream}; nothing was changed`,
    );
  if (done === "not found") throw notFound(id);
  session.terminal.print({ id, requeued: true }, [`Requeued: ${letter.group} takes it over within seconds.`]);
}

export async function dropDeadLetter(session: Session, id: string, options: ChangeOptions): Promise<void> {
  const letter = await readLetter(session, id);
  const mandate = await confirm(session, options, [`Dropped for good: ${letter.stream}, ${letter.reason}`]);
  if (!(await drop(session.redis, session.keys, letter, mandate))) throw notFound(id);
  session.terminal.print({ id, dropped: true }, ["Dropped; the audit entry keeps its text."]);
}

async function readLetter({ redis, keys }: Session, id: string): Promise<Letter> {
  if (!/^\d+-\d+$/.test(id))
    throw new CommandError(
      EXIT.usage,
      `dead letter id ${JSON.stringify(id)}: one as 1769301008977-0 is needed`,
    );
  const [entry] = parseEntries(await redis.xrange(keys.streams.deadLetter, id, id));
  if (entry === undefined) throw notFound(id);
  return letterOf(entry);
}

function letterOf({ id, fields }: { id: string; fields: Record<string, string> }): Letter {
  const { stream = "", group = "", reason = "" } = fields;
  return { id, stream, group, reason, fields };
}

function notFound(id: string): CommandError {
  return new CommandError(EXIT.no, `there is no dead letter ${id}`);
}
