import { dumpPythonJson, HOLD_ACCEPT, type PythonJson } from "@quantum/contract";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { OperatorCommands, type OperatorEvents } from "./operator.ts";
import type { PairRefresh } from "./refresh.ts";
import { type Rig, startRig } from "./rig.fixture.ts";

const SYMBOL = "BTCUSDT";

let rig: Rig;
let refresh: PairRefresh;
let operator: OperatorCommands;
let ignored: OperatorEvents["ignored"][0]["why"][];
let accepted: number;
let seen: OperatorEvents["seen"][0][];
beforeEach(async () => {
  rig = await startRig();
  refresh = rig.refresher();
  operator = new OperatorCommands({ pairs: rig.pairs, refresh });
  ignored = [];
  accepted = 0;
  seen = [];
  operator.on("seen", (change) => seen.push(change));
  operator.on("ignored", ({ why }) => ignored.push(why));
  operator.on("accepted", () => (accepted += 1));
  await refresh.all();
  await rig.move(SYMBOL, "0.030", false);
  await refresh.all();
});
afterEach(async () => {
  refresh.stop();
  await rig.stop();
});

const command = (fields: Record<string, string> = {}, detail: Record<string, PythonJson> = {}) =>
  operator.handle({
    id: "1-0",
    deliveries: 1,
    fields: {
      action: HOLD_ACCEPT.action,
      target: SYMBOL,
      who: "ann@desk",
      reason: "moved by hand",
      at_ms: String(Date.now()),
      detail: dumpPythonJson(detail),
      ...fields,
    },
  });

async function mismatch(): Promise<Record<string, number>> {
  const { ledger } = await rig.pairs.read(SYMBOL);
  return { disagrees_since_ms: ledger?.disagreesSinceMs ?? 0 };
}

describe("an operator's acceptance", () => {
  it("resets the ledger, once, for the mismatch that was shown", async () => {
    const seen = await mismatch();
    expect(await command({}, seen)).toEqual({ kind: "ack" });
    expect((await rig.pairs.read(SYMBOL)).ledger).toMatchObject({ amt: "0.030", origin: "accepted" });

    // Delivered again, during a new mismatch that no operator has seen.
    await rig.move(SYMBOL, "0.020", false);
    await refresh.all();
    expect(await command({}, seen)).toEqual({ kind: "ack" });
    expect((await rig.pairs.read(SYMBOL)).ledger?.amt).toBe("0.030");
    expect([accepted, ignored]).toEqual([1, ["not for the present mismatch"]]);
  });

  it("is not obeyed late, such as by a group that begins at the start of the stream", async () => {
    const late = { at_ms: String(Date.now() - HOLD_ACCEPT.validMs - 1) };
    expect(await command(late, await mismatch())).toEqual({ kind: "ack" });
    expect((await rig.pairs.read(SYMBOL)).ledger?.amt).toBe("0.062");
    expect(ignored).toEqual(["too old"]);
  });

  it("is told apart from other audit entries and from what is none", async () => {
    expect(await command({ action: "kill.on", target: "kill_switch" })).toEqual({ kind: "ack" });
    expect(await command({ at_ms: "soon" })).toMatchObject({ kind: "dead" });
    expect([accepted, ignored]).toEqual([0, []]);
  });

  it("is reported like every other change by an operator", async () => {
    await command({ action: "kill.on", target: "kill_switch" }, { before: "" });
    await command();
    expect(seen).toMatchObject([
      {
        id: "1-0",
        action: "kill.on",
        target: "kill_switch",
        who: "ann@desk",
        reason: "moved by hand",
        detail: { before: "" },
      },
      { action: HOLD_ACCEPT.action },
    ]);
  });
});
