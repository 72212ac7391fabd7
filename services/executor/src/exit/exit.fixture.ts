/** For tests of operators' plans: the executor's rig with two enrolled operators, and what waits at the venue. */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PermitClaims, TTL_SEC } from "@quantum/contract";
import type { SimAlgoOrder, SimOrder } from "@quantum/exchange-sim";
import { bindScript } from "@quantum/redis";
import { loadIssuerKeys, newKey, type Signer } from "@quantum/signing";
import { expect } from "vitest";
import { type Rig, type Spent, startRig } from "../rig.fixture.ts";

const exitScript = bindScript("operator/exit");

export const OPERATORS = ["alice", "bob"] as const;
type Operator = (typeof OPERATORS)[number];

/** An operator's plan, before and after it is opened. */
export interface Exit extends Spent {
  operator: string;
  signed: string;
  class: PermitClaims["class"];
  position: string;
  safe_qty: string;
  /** Of its execute entry; "" before it is opened. */
  entryId: string;
}

export type ExitRig = Awaited<ReturnType<typeof startExitRig>>;

export async function startExitRig(options: Parameters<typeof startRig>[0] = {}) {
  const rig = await startRig(options);
  const folder = await mkdtemp(join(tmpdir(), "quantum-operators-"));
  const publicFile = join(folder, "operators.json");
  const signers = new Map<string, Signer>();
  for (const issuer of [...OPERATORS, "stranger"]) {
    const isEnrolled = issuer !== "stranger";
    const file = isEnrolled ? publicFile : join(folder, "strangers.json");
    const place = { issuer, privateFile: join(folder, `operator-${issuer}.pem`), publicFile: file };
    signers.set(issuer, await newKey(place));
  }
  const operatorKeys = await loadIssuerKeys(publicFile);

  const control = async (method: string, path: string, body?: object): Promise<unknown> => {
    const headers = { "content-type": "application/json" };
    const init = body ? { method, headers, body: JSON.stringify(body) } : { method };
    const answer = await fetch(`${rig.sim.url}${path}`, init);
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  };
  const state = async () =>
    (await control("GET", "/sim/state")) as {
      orders: SimOrder[];
      algoOrders: SimAlgoOrder[];
      positions: { symbol: string; positionAmt: string }[];
    };

  return {
    ...rig,
    operatorKeys,
    operatorKeysFile: publicFile,
    executorWithOperators: (options: Parameters<Rig["executor"]>[0] = {}) =>
      rig.executor({ operatorKeys: () => operatorKeys, ...options }),
    ban: (ms: number) => control("POST", "/sim/ban", { ms }),
    /** Somebody with the account's keys leaves an order at the venue. Without a quantity it closes the position. */
    rest: (order: {
      symbol: string;
      type: "LIMIT" | "STOP_MARKET";
      side: "BUY" | "SELL";
      quantity?: string;
      reduceOnly?: boolean;
    }) => control("POST", "/sim/orders", order),
    /** What still waits for the symbol: the types, each with its kind. */
    async resting(symbol: string): Promise<string[]> {
      const { orders, algoOrders } = await state();
      const open = [
        ...orders.filter(({ status }) => status === "NEW").map((order) => ({ kind: "order", ...order })),
        ...algoOrders.filter(({ status }) => status === "NEW").map((order) => ({ kind: "algo", ...order })),
      ];
      return open
        .filter((order) => order.symbol === symbol)
        .map(({ kind, type, side }) => `${kind} ${type} ${side}`)
        .toSorted();
    },
    async position(symbol: string): Promise<number> {
      const { positions } = await state();
      return Number(positions.find((position) => position.symbol === symbol)?.positionAmt ?? 0);
    },

    /** An exit of the symbol's whole position as the rig's market has it, long 1.000, unless `over` says else. */
    async exit(
      over: Partial<PermitClaims> & { symbol: string },
      by: Operator | "stranger" = "alice",
    ): Promise<Exit> {
      const issuedMs = await rig.redisMs();
      const untilMs = issuedMs + 60_000;
      const claims = {
        issuer: by,
        class: "operator" as const,
        mode: "paper",
        venue: "simulated",
        account: "main",
        plan: randomBytes(8).toString("hex"),
        attempt: "0-0",
        side: "SELL" as const,
        step: "CLOSE_BY_OPERATOR",
        pct: "100",
        safe_qty: "1.000",
        position: "1.000",
        computed_qty: "",
        issued_ms: String(issuedMs),
        until_ms: String(untilMs),
        ...over,
      };
      return {
        plan_id: claims.plan,
        symbol: claims.symbol,
        attempt: "",
        valid_until_ms: claims.until_ms,
        operator: by,
        class: claims.class,
        position: claims.position || "0",
        safe_qty: claims.safe_qty || "0",
        signed: signers.get(by)?.sign(claims) ?? "",
        entryId: "",
      };
    },
    drill(by: Operator | "stranger" = "alice"): Promise<Exit> {
      return this.exit({ class: "drill", symbol: "ACCOUNT", side: "", safe_qty: "", position: "" }, by);
    },
    /** As permitctl does it: the executor may read the entry at once. */
    async open(exit: Exit): Promise<void> {
      const keys = rig.keysOf(exit.symbol);
      await rig.owned();
      const [status, attempt = "", entryId = ""] = await exitScript(rig.redis, {
        keys: {
          plan: keys.plan(exit.plan_id),
          spent: keys.spent(exit.plan_id),
          order: keys.order(exit.plan_id),
          plans: keys.streams.plan,
          executes: keys.streams.execute,
          handed_over: keys.handedOver,
          audit: keys.streams.operatorAudit,
        },
        args: {
          plan_id: exit.plan_id,
          symbol: exit.symbol,
          class: exit.class,
          mode: "paper",
          step: "CLOSE_BY_OPERATOR",
          close_pct: "100",
          position_amt: exit.position,
          safe_qty: exit.safe_qty,
          until_ms: exit.valid_until_ms,
          signed: exit.signed,
          operator: exit.operator,
          action: exit.class === "drill" ? "exit.drill" : "exit.flatten",
          who: "alice@test",
          reason: "a test",
          spent_sec: String(TTL_SEC.spent),
          record_sec: String(TTL_SEC.plan),
        },
      });
      expect(status).toBe("OPENED");
      Object.assign(exit, { attempt, entryId });
    },
    /** Opens the exit, waits until it has ended, and checks what must always hold. */
    async run(
      executor: Awaited<ReturnType<Rig["executor"]>>,
      exit: Exit,
      outcome: string,
      reason: string,
    ): Promise<{ result: Record<string, string>; record: Record<string, string> }> {
      const ended = executor.ended(exit);
      await this.open(exit);
      await ended;
      const result = (await rig.expectEnded(exit, exit.entryId, outcome, reason)) ?? {};
      return { result, record: await rig.redis.hgetall(rig.keysOf(exit.symbol).plan(exit.plan_id)) };
    },
    async stop() {
      await rig.stop();
      await rm(folder, { recursive: true });
    },
  };
}
