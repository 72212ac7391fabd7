/** The format of the journal. Pure. Each line ends with the CRC-32 of its text. */
import { crc32 } from "node:zlib";
import { describeIssues } from "@quantum/contract";
import { z } from "zod";

const decimal = z.string().regex(/^-?\d+\.?\d*$/);

/** What an order is queried by, should Redis forget all of it. */
const orderFields = z.object({
  symbol: z.string().min(1),
  step: z.string(),
  side: z.enum(["BUY", "SELL"]),
  quantity: decimal,
  /** According to the permits; "" if it is not known. */
  positionAmt: decimal.or(z.literal("")),
  /** When its send window opens, by the exchange's clock, in ms. */
  venueMs: z.coerce.number().int().positive(),
  windowMs: z.coerce.number().int().nonnegative(),
  cappedByVenue: z.enum(["0", "1"]),
  /** Of an operator's plan; "" of any other. */
  class: z.enum(["", "operator"]),
});

/** An order that is about to be sent. */
export interface Sent {
  planId: string;
  attempt: string;
  clientOrderId: string;
  /** By Redis's clock, in ms. */
  atMs: number;
  /** Absent in lines of earlier versions. */
  order?: z.output<typeof orderFields>;
}

export type SentOrder = Required<Sent>;

/**
 * A Redis that loses what was written longer before than this has lost everything, and with it every order's outcome. Whoever has
 * read those knows them: they are not published again.
 */
const LATEST_MS = 10 * 60_000;

/** The orders of the ten minutes up to the last one. Lines of earlier versions do not tell enough. */
export function latestOf(sent: readonly Sent[]): SentOrder[] {
  const sinceMs = (sent.at(-1)?.atMs ?? 0) - LATEST_MS;
  return sent.filter((one): one is SentOrder => one.atMs >= sinceMs && one.order !== undefined);
}

/**
 * The time of an incomplete journal. It is in the future of every clock, so a start replaces it with the current time.
 */
export const INCOMPLETE = 9_999_999_999_999;

const CRC_DIGITS = 8;
const FORMAT = "quantum-executor-journal 1";
export const FORMAT_LINE = line(FORMAT);

/** The time, and where there are several partitions, which of how many it is of. */
const SINCE = /^since (\d{1,13})(?: (\d{1,2})\/(\d{1,2}))?$/;
/** The order is in the form of a query string: a symbol may have letters that the file's encoding does not. */
const SENT = /^sent (\d{1,13}) (\d{1,20}-\d{1,20}) ([0-9a-f]{16}) ([\w-]{1,36})(?: ([\w=&%.*+-]+))?$/;

export function sentLine({ atMs, attempt, planId, clientOrderId, order }: Sent): string {
  const start = `sent ${atMs} ${attempt} ${planId} ${clientOrderId}`;
  if (order === undefined) return line(start);
  const fields = new URLSearchParams();
  for (const [name, value] of Object.entries(order)) fields.set(name, String(value));
  return line(`${start} ${fields.toString()}`);
}

/** Since when the journal is complete for a partition. The last such line counts. */
export function sinceLine(sinceMs: number, partition: number, partitions: number): string {
  return line(partitions === 1 ? `since ${sinceMs}` : `since ${sinceMs} ${partition}/${partitions}`);
}

export interface Found {
  sent: Sent[];
  /** By partition. */
  sinceMs: number[];
  /** What could not be read; then `sinceMs` is meaningless. */
  damage: string | undefined;
}

/**
 * A last line without a line end was being written when the process or host died. Its write was never confirmed, so its
 * order was not sent, and it is ignored. Any other unreadable line is damage.
 */
export function readJournal(bytes: Buffer): Found {
  const found: Found = { sent: [], sinceMs: [], damage: undefined };
  const lines = bytes.toString("latin1").split("\n");
  lines.pop();
  for (const [index, text] of lines.entries()) {
    const problem = index === 0 ? beginning(text) : take(text, found);
    if (problem !== undefined) found.damage ??= `line ${index + 1} ${problem}`;
  }
  if (lines.length === 0) found.damage = "it has no line";
  return found;
}

function beginning(text: string): string | undefined {
  return contentOf(text) === FORMAT ? undefined : `is not "${FORMAT}"`;
}

function take(text: string, found: Found): string | undefined {
  const content = contentOf(text);
  if (content === undefined) return "is damaged";
  const since = SINCE.exec(content);
  if (since !== null) {
    const [, sinceMs, partition = "0", partitions = "1"] = since;
    if (found.sinceMs.length === 0) found.sinceMs = Array<number>(Number(partitions)).fill(INCOMPLETE);
    if (found.sinceMs.length !== Number(partitions) || Number(partition) >= Number(partitions))
      return "is of another number of partitions";
    found.sinceMs[Number(partition)] = Number(sinceMs);
    return undefined;
  }
  const [, atMs, attempt = "", planId = "", clientOrderId = "", fields] = SENT.exec(content) ?? [];
  if (atMs === undefined) return "says something unknown";
  const sent: Sent = { atMs: Number(atMs), attempt, planId, clientOrderId };
  found.sent.push(sent);
  if (fields === undefined) return undefined;
  const order = orderFields.safeParse(Object.fromEntries(new URLSearchParams(fields)));
  if (!order.success) return `says something unknown of its order: ${describeIssues(order.error)}`;
  sent.order = order.data;
  return undefined;
}

function line(content: string): string {
  return `${content} ${checksum(content)}\n`;
}

function contentOf(text: string): string | undefined {
  const content = text.slice(0, -CRC_DIGITS - 1);
  return text === line(content).slice(0, -1) ? content : undefined;
}

function checksum(content: string): string {
  return crc32(content).toString(16).padStart(CRC_DIGITS, "0");
}
