/** Bugs that show when a clock is wrong. */
import type { Mutant } from "./mutant.ts";

const PERMIT_CLOCKS = "packages/permits/src/clock.test.ts";

export const CLOCK_MUTANTS: readonly Mutant[] = [
  {
    bug: "a future mark is honoured: a plan that was opened in the future waits until then",
    edits: [
      {
        file: "lua/permits/consume.lua",
        find: "local ahead_ms = math.max(tonumber(record.opened_at_ms) - now, 0)",
        replace: "local ahead_ms = 0",
      },
    ],
    test: PERMIT_CLOCKS,
  },
  {
    bug: "a future mark is honoured: future executions count until then",
    edits: [
      {
        file: "lua/permits/balance.lua",
        find: "elseif at > now then",
        replace: "elseif false then",
      },
    ],
    test: PERMIT_CLOCKS,
  },
  {
    bug: "a future mark is honoured: a future reservation stays until then",
    edits: [
      {
        file: "lua/permits/balance.lua",
        find: "elseif at > expires then",
        replace: "elseif false then",
      },
    ],
    test: PERMIT_CLOCKS,
  },
  {
    bug: "future executions make room until the books are kept",
    edits: [
      {
        file: "lua/permits/issue.lua",
        find: "redis.call('ZCOUNT', executions, int(now - limit.window_ms), '+inf')",
        replace: "redis.call('ZCOUNT', executions, int(now - limit.window_ms), int(now))",
      },
    ],
    test: PERMIT_CLOCKS,
  },
  {
    bug: "a future mark is honoured: the next refresh is due an interval after a turn in the future",
    edits: [
      {
        file: "lua/ledger/refresh_turn.lua",
        find: "local is_due = not begun or begun > now or now - begun >= every_ms",
        replace: "local is_due = not begun or now - begun >= every_ms",
      },
    ],
    test: "services/position-brain/src/schedule.test.ts",
  },
  {
    bug: "a future mark is honoured: a snapshot from the future is fresh",
    edits: [
      {
        file: "services/position-brain/src/decide.ts",
        find: "|| ageSec < -CLOCK_BOUND_MS / MS_PER_SEC",
        replace: "",
      },
    ],
    test: "services/position-brain/src/decide.test.ts",
  },
  {
    bug: "a wait ends by Redis's clock alone",
    edits: [
      {
        file: "lua/permits/consume.lua",
        find: "if overdue_ms then left_ms = math.min(left_ms, -overdue_ms) end",
        replace: "",
      },
    ],
    test: PERMIT_CLOCKS,
  },
];
