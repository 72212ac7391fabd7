/** Who changed what, when and why. */
import { addedAtMs } from "@quantum/streams";
import type { Access } from "./access.ts";
import { newestOfAll } from "./newest-of-all.ts";
import { placesOf } from "./places.ts";

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
  access: Access,
  { cursor }: { cursor?: string | undefined } = {},
): Promise<AuditList> {
  const rows: AuditRow[] = [];
  for await (const { id, entry } of newestOfAll(placesOf(access), "operatorAudit", { cursor, most: PAGE })) {
    const { action = "", target = "", who = "", reason = "", detail = "" } = entry.fields;
    rows.push({ id, atMs: addedAtMs(entry.id), action, target, who, reason, detail });
    if (rows.length === PAGE) return { rows, next: id };
  }
  return { rows, next: undefined };
}
