/** Bugs of the mark that stands for the wire's kill switch in a partition. */
import type { Mutant } from "./mutant.ts";

const HALTED = "lua/shared/halted.lua";
const SEE = "lua/halts/see_kill_switch.lua";
const WATCH = "services/apply-layer/src/kill-switch-watch.ts";
const WATCH_TEST = "services/apply-layer/src/kill-switch-watch.test.ts";
const HALTS = "packages/operator/src/halt-everywhere.ts";
const HALT_TEST = "packages/operator/src/halt-everywhere.test.ts";
const MARK_TEST = "packages/permits/src/mark.test.ts";

export const HALT_MUTANTS: readonly Mutant[] = [
  {
    bug: "a partition's scripts do not read the mark of the wire's kill switch",
    edits: [{ file: HALTED, find: "      or mark ~= kill_switch and unseen(mark)\n", replace: "" }],
    test: "services/executor/src/kill-switch-mark.test.ts",
  },
  {
    bug: "the mark is read only where the partition has a halt of its own",
    edits: [
      { file: HALTED, find: "or mark ~= kill_switch and", replace: "or is_any and mark ~= kill_switch and" },
    ],
    test: MARK_TEST,
  },
  {
    bug: "an old mark is believed",
    edits: [{ file: HALTED, find: " or age_ms > SEEN_WITHIN_MS then", replace: " then" }],
    test: MARK_TEST,
  },
  {
    bug: "a mark of a time that has not come is believed",
    edits: [{ file: HALTED, find: "or age_ms < 0 or", replace: "or" }],
    test: MARK_TEST,
  },
  {
    bug: "a mark that says anything but halted lets go on",
    edits: [{ file: HALTED, find: "if word == 'running' then", replace: "if word ~= 'halted' then" }],
    test: MARK_TEST,
  },
  {
    bug: "a late mark replaces a newer one",
    edits: [
      {
        file: SEE,
        find: "if before_ms and before_ms <= now_ms() and before_ms >= tonumber(asked_ms) then",
        replace: "if false then",
      },
    ],
    test: WATCH_TEST,
  },
  {
    bug: "a mark counts from when it is written, however old what it says is",
    edits: [
      {
        file: SEE,
        find: "'SET', kill_switch_seen, asked_ms ..",
        replace: "'SET', kill_switch_seen, int(now_ms()) ..",
      },
    ],
    test: WATCH_TEST,
  },
  {
    bug: "the watcher takes a kill switch that it cannot read for one that is off",
    edits: [{ file: WATCH, find: "    throw error;\n", replace: "    return false;\n" }],
    test: WATCH_TEST,
  },
  {
    bug: "the watcher believes a replica",
    edits: [{ file: WATCH, find: '"#!lua flags=allow-oom\\n', replace: '"' }],
    test: WATCH_TEST,
  },
  {
    bug: "a halt that a partition does not take is not tried again",
    edits: [
      {
        file: "packages/operator/src/everywhere.ts",
        find: "if (passing.length === 0 || patience === undefined || patience.stop.aborted) return reached;",
        replace: "if (told === '') return reached;",
      },
    ],
    test: HALT_TEST,
  },
  {
    bug: "a halt of several partitions leaves the wire's key as it is",
    edits: [
      {
        file: "packages/operator/src/everywhere.ts",
        find: "[...partitions.all, wirePlace(redisOf)]",
        replace: "[...partitions.all]",
      },
    ],
    test: HALT_TEST,
  },
  {
    bug: "kill off goes on in the last partition after somebody has halted again",
    edits: [{ file: HALTS, find: "      await refuseIfOn(ended);\n", replace: "" }],
    test: HALT_TEST,
  },
  {
    bug: "a disarm does not reach a partition that was away",
    edits: [
      {
        file: "packages/permits/src/disarm.ts",
        find: "if (!late.has(place)) void repeat(place, () => run(place, true));",
        replace: "void repeat;",
      },
    ],
    test: "packages/permits/src/disarm.test.ts",
  },
  {
    bug: "the governor disarms the account's partition alone",
    edits: [
      {
        file: "services/governor/src/handler.ts",
        find: "places: options.partitions.all,",
        replace: "places: [options.partitions.account],",
      },
    ],
    test: "services/governor/src/handler.test.ts",
  },
];
