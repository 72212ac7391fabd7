/** The keys that halt the pipeline. */
import { createKeys, TTL_SEC } from "@quantum/contract";
import type { KeyNote } from "./wire-key-note.ts";

const keys = createKeys();

export const HALT_NOTES = {
  killSwitch: {
    key: keys.killSwitch,
    type: "STRING",
    ttlSec: "none",
    by: "operator → every script",
    holds: "absent, `0`, `false`, `off`, `no`: running. Anything else, or an unreadable key: halted",
  },
  killSwitchSeen: {
    key: createKeys({ partition: 3 }).killSwitchSeen,
    type: "STRING",
    ttlSec: "none",
    by: "apply-layer → every script",
    holds: "*ours*, in a [partition](#partitions): `<ms> running` or `<ms> halted`, as last read",
  },
  disarm: {
    key: keys.disarm,
    type: "STRING JSON",
    ttlSec: "none: an operator deletes it",
    by: "governor → every script",
    holds: "*ours*: `reason, context, timestamp`",
  },
  disarmOf: {
    key: keys.disarmOf("{YYYY-MM-DD}"),
    type: "STRING JSON",
    ttlSec: TTL_SEC.disarmOfDay,
    by: "governor → every script, operators",
    holds: "the same, of a UTC day; today's is honoured too",
  },
} as const satisfies Record<string, KeyNote>;
