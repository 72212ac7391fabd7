/** Who changed what, when and why. */
import { addedAtMs, parseEntries } from "@quantum/streams";
import type { Access } from "./access.ts";
import { behind } from "./entries.ts";

export interface AuditList {
  /** Newest first. */
  rows: readonly AuditRow[];
  /** To go on; undefined: there are no more. */
  next: string | undefined;
}

export interface AuditRow {
  id: string;
  /** By Redis's clock. */
  atMs: number;
  action: string;
  /** A symbol, a plan, a key, an entry. */
  target: string;
  /** `user@host`, of the console `name@console`. */
  who: string;
  reason: string;
  /** JSON. */
  detail: string;
}

const PAGE = 50;

/** @throws RangeError if the cursor is not one of ours */
export async function pageAudit(
  { redis, keys }: Access,
  { cursor }: { cursor?: string | undefined } = {},
): Promise<AuditList> {
  const entries = parseEntries(
    await redis.xrevrange(keys.streams.operatorAudit, behind(cursor), "-", "COUNT", PAGE),
  );
  const rows = entries.map(({ id, fields }) => {
    const { action = "", target = "", who = "", reason = "", detail = "" } = fields;
    return { id, atMs: addedAtMs(id), action, target, who, reason, detail };
  });
  return { rows, next: rows.length === PAGE ? rows.at(-1)?.id : undefined };
}
