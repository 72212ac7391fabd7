/**
 * Loaded into a service before its own code (`node --import`): its clock is off by what stands in the file
 * CHAOS_CLOCK_FILE, in ms, which may change at any time. Only wall-clock time: durations are measured by another clock.
 */
import { readFileSync } from "node:fs";

const LOOK_MS = 100;

const file = process.env["CHAOS_CLOCK_FILE"] ?? "";
const trueNow = Date.now.bind(Date);
let shiftMs = 0;

function look(): void {
  try {
    shiftMs = Number(readFileSync(file, "utf8")) || 0;
  } catch {
    shiftMs = 0;
  }
}

class ShiftedDate extends Date {
  constructor(...args: ConstructorParameters<typeof Date> | []) {
    if (args.length === 0) super(trueNow() + shiftMs);
    else super(...args);
  }

  static override now(): number {
    return trueNow() + shiftMs;
  }
}

if (file !== "") {
  look();
  setInterval(look, LOOK_MS).unref();
  globalThis.Date = ShiftedDate as DateConstructor;
}
