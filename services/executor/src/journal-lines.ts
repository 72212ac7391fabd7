/** The format of the journal. Pure. Each line ends with the CRC-32 of its text. */
import { crc32 } from "node:zlib";

/** An order that is about to be sent. */
export interface Sent {
  planId: string;
  attempt: string;
  clientOrderId: string;
  /** By Redis's clock, in ms. */
  atMs: number;
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
const SENT = /^sent (\d{1,13}) (\d{1,20}-\d{1,20}) ([0-9a-f]{16}) ([\w-]{1,36})$/;

export function sentLine({ atMs, attempt, planId, clientOrderId }: Sent): string {
  return line(`sent ${atMs} ${attempt} ${planId} ${clientOrderId}`);
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
  const [, atMs, attempt = "", planId = "", clientOrderId = ""] = SENT.exec(content) ?? [];
  if (atMs === undefined) return "says something unknown";
  found.sent.push({ atMs: Number(atMs), attempt, planId, clientOrderId });
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
