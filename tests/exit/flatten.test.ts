/** The operators' way out, with nothing alive but Redis, one executor and the exchange. The matrix of troubles is in the slow tests. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ExitStage, expectFlat, expectOnlyReduced, openExitStage } from "./stage.ts";

let stage: ExitStage;
beforeAll(async () => {
  stage = await openExitStage();
});
afterAll(() => stage.stop());

const killSwitch = () => stage.client.get(stage.keys.killSwitch);

describe("an exit, with every other service dead", () => {
  it("drills: it shows positions and what would be sent, sends nothing, and is noted", async () => {
    const before = await stage.state();
    const drill = await stage.flatten(["--all", "--drill"]);
    expectFlat(drill);
    for (const { symbol } of before.positions) expect(drill.output).toContain(symbol);
    expect((await stage.state()).orders).toEqual(before.orders);
    expect(await stage.client.hgetall(stage.keys.exit)).toMatchObject({ drilled_by: "local" });
    expect(await killSwitch()).toBeNull();
  });

  it("closes a share of a symbol under kill switch and disarm, and no other", async () => {
    await stage.client.set(stage.keys.killSwitch, "1");
    await stage.client.set(stage.keys.disarm, "{}");
    const before = await stage.open();
    const { code, output } = await (await stage.exit(["close", "SOLUSDT", "--pct", "50"])).ended;
    expect(code === 0 ? "closed" : output).toBe("closed");
    const { SOLUSDT, ...others } = await stage.open();
    expect({ ...others, SOLUSDT: before["SOLUSDT"] }).toEqual(before);
    const share = Number(SOLUSDT) / Number(before["SOLUSDT"]);
    expect(share).toBeGreaterThanOrEqual(0.5);
    expect(share).toBeLessThan(0.51);
    await stage.client.del(stage.keys.killSwitch, stage.keys.disarm);
  });

  it("closes everything, leaves the kill switch on, and says who did it and why", async () => {
    expectFlat(await stage.flatten(["--all"]));
    expect(await stage.open()).toEqual({});
    expect(await killSwitch()).not.toBeNull();
    await expectOnlyReduced(stage);
    const audit = JSON.stringify(await stage.client.xrange(stage.keys.streams.operatorAudit, "-", "+"));
    for (const said of ["exit.flatten", "exit.close", "exit.drill", "a test"]) expect(audit).toContain(said);
  });
});
