/** `dlq`: entries that a group could not handle. */
import {
  DEAD_LETTER_ID,
  type DeadLetter,
  type DeadLetterFilter,
  dropLetters,
  duration,
  type Handled,
  operations,
  readDeadLetter,
  requeueLetters,
  wantedDeadLetters,
} from "@quantum/operator";
import { type ChangeOptions, confirm } from "./confirm.ts";
import { CommandError, EXIT } from "./exit.ts";
import { table } from "./layout.ts";
import type { Session } from "./session.ts";

export interface LetterFilter {
  /** A part of the reason for which they were given up: `--reason` is the operator's own. */
  because?: string;
  stream?: string;
  group?: string;
}

/** Each on one line; `show` has the whole of it. */
export async function listDeadLetters({ access, terminal }: Session, filter: LetterFilter): Promise<void> {
  const letters = await Array.fromAsync(wantedDeadLetters(access, filterOf(filter)));
  const data = letters.map(({ id, stream, group, reason, atMs }) => ({
    id,
    stream,
    group,
    reason,
    at_ms: atMs,
  }));
  const rows = letters.map(({ id, stream, group, reason, atMs }) => [
    id,
    duration(Math.max(0, access.nowMs() - atMs)),
    stream,
    group,
    reason,
  ]);
  const heading = ["id", "age", "stream", "group", "reason"];
  terminal.print(data, rows.length === 0 ? [] : table([heading, ...rows], terminal.size?.columns));
  if (rows.length === 0) throw noneFound();
}

export async function showDeadLetter(session: Session, id: string): Promise<void> {
  checkId(id);
  const letter = await readDeadLetter(session.access, id);
  if (letter === undefined) throw new CommandError(EXIT.no, `there is no dead letter ${id}`);
  session.terminal.print({ id, ...letter.fields }, table(Object.entries({ id, ...letter.fields })));
}

/** Makes the entries pending again for their groups. */
export async function requeueDeadLetters(
  session: Session,
  ids: readonly string[],
  options: LetterFilter & ChangeOptions,
): Promise<void> {
  const chosen = await chosenBy(session, ids, options);
  const { text } = await operations.requeue.preview(session.access, { ids: chosen });
  const mandate = await confirm(session, options, [text]);
  report(session, "requeued", await requeueLetters(session.access, chosen, mandate));
}

export async function dropDeadLetters(
  session: Session,
  ids: readonly string[],
  options: LetterFilter & ChangeOptions,
): Promise<void> {
  const chosen = await chosenBy(session, ids, options);
  const { text } = await operations.drop.preview(session.access, { ids: chosen });
  const mandate = await confirm(session, options, [text]);
  report(session, "dropped", await dropLetters(session.access, chosen, mandate));
}

/** Those that are named, or those that the filters find; never all for want of a filter. */
async function chosenBy(
  { access }: Session,
  ids: readonly string[],
  filter: LetterFilter,
): Promise<string[]> {
  const isFiltered = Object.values(filterOf(filter)).some((value) => value !== undefined);
  if (ids.length > 0 && isFiltered)
    throw new CommandError(EXIT.usage, "give ids, or --because, --stream and --group, not both");
  if (ids.length === 0 && !isFiltered)
    throw new CommandError(EXIT.usage, "which ones? Give their ids, or --because, --stream or --group");
  for (const id of ids) checkId(id);
  if (ids.length > 0) return [...new Set(ids)];
  const letters: DeadLetter[] = await Array.fromAsync(wantedDeadLetters(access, filterOf(filter)));
  if (letters.length === 0) throw noneFound();
  // In the order in which the groups met them.
  return letters.map(({ id }) => id).toReversed();
}

function filterOf({ because, stream, group }: LetterFilter): DeadLetterFilter {
  return { reason: because, stream, group };
}

function checkId(id: string): void {
  if (!DEAD_LETTER_ID.test(id))
    throw new CommandError(
      EXIT.usage,
      `dead letter id ${JSON.stringify(id)}: must be an id such as 1769301008977-0`,
    );
}

function report({ terminal }: Session, what: "requeued" | "dropped", handled: readonly Handled[]): void {
  const done = handled.filter((letter) => letter.done).map(({ id }) => id);
  const left = handled.filter((letter) => !letter.done).map(({ id, why }) => ({ id, why }));
  const then =
    what === "requeued" ? "their groups take them over within seconds" : "the audit entries keep their texts";
  terminal.print({ [what]: done, left }, [
    ...(done.length === 0 ? [] : [`${done.length} ${what}; ${then}.`]),
    ...left.map(({ id, why }) => `${id} is not known to be ${what}: ${why}`),
  ]);
  if (left.length > 0) throw new CommandError(EXIT.no, `${left.length} of ${handled.length} not ${what}`);
}

function noneFound(): CommandError {
  return new CommandError(EXIT.no, "there is no such dead letter");
}
