/**
 * Where attacks take place: Redis, the simulated exchange, and our services as processes. The test answers plans with the
 * issuers' real keys, and the attacker writes to Redis whatever it likes.
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { type PermitClaims, planId, QUANTITY_ISSUER } from "@quantum/contract";
import { eventually, RUN_OPERATOR, type ServiceProcess } from "@quantum/harness";
import { ordersByPlan, startRig } from "@quantum/harness/rig";
import { loadSigningKey, newKey, type Signer } from "@quantum/signing";
import { fieldsOf } from "@quantum/streams";
import { operatorKeyFile, privateKeyFile } from "@quantum/topology";

const WAIT_MS = 8_000;
/** Longer than any permit is on its way. */
const VALID_MS = 90_000;
/** What an operator signs for. */
const EXIT_VALID_MS = 60_000;
export const ISSUERS = ["governor", "p33"] as const;
export type Issuer = (typeof ISSUERS)[number];

export type Claims = Omit<PermitClaims, "kid">;
export type Fields = Record<string, string>;

/** A plan that waits for its permits. */
export interface Plan {
  id: string;
  attempt: string;
  symbol: string;
  step: string;
  pct: string;
  /** What its permits allow to close. */
  quantity: string;
}

/** Per symbol: a quantity that the exchange takes, far below the position, and the position's side. */
const SMALL: Readonly<Record<string, { quantity: string; position: string }>> = {
  BTCUSDT: { quantity: "0.001", position: "0.062" },
  SOLUSDT: { quantity: "0.10", position: "42.15" },
  XRPUSDT: { quantity: "5.0", position: "2600.5" },
};

/** As an attacker would: entry and `spent` at once, so that the executor never sees one without the other. */
const APPEND_NAMED = `
local id = redis.call('XADD', KEYS[1], '*', unpack(ARGV, 2))
redis.call('SET', KEYS[2], (ARGV[1]:gsub('ENTRY', id)))
return id`;

/** The tests grant permits by hand, on a busy machine: the apply-layer's. */
const PATIENT = { APPLY_PERMIT_WAIT_MS: "10000" };

export type Stage = Awaited<ReturnType<typeof openStage>>;

/** @param services to start, with what their environment has beside the rig's */
export async function openStage(services: Readonly<Record<string, Record<string, string>>>) {
  const rig = await startRig();
  const { client, keys, keysFolder } = rig;
  const signers = new Map<string, Signer>();
  for (const issuer of ISSUERS)
    signers.set(issuer, await loadSigningKey(join(keysFolder, privateKeyFile(issuer))));
  /** A key that nobody listed. */
  const stranger = await newKey({
    issuer: "p33",
    privateFile: join(keysFolder, "stranger.pem"),
    publicFile: join(keysFolder, "strangers.json"),
  });
  const operator = await loadSigningKey(join(keysFolder, operatorKeyFile(RUN_OPERATOR)));
  const started = new Map<string, ServiceProcess>();
  for (const [name, service] of await Promise.all(
    Object.entries(services).map(
      async ([name, env]) => [name, await rig.start(name, { ...PATIENT, ...env })] as const,
    ),
  ))
    started.set(name, service);

  const entriesOf = async (stream: string) =>
    ((await client.xrange(stream, "-", "+")) as [string, string[]][]).map(([id, flat]) => ({
      id,
      fields: fieldsOf(flat) as Fields,
    }));

  async function redisMs(): Promise<number> {
    const [seconds, micros] = await client.time();
    return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
  }

  return {
    rig,
    client,
    keys,
    started,
    stranger,
    redisMs,

    /** Proposes, and waits until the apply-layer has opened the plan. */
    async propose(symbol: string, action = "PARTIAL_50"): Promise<Plan> {
      const { quantity = "1" } = SMALL[symbol] ?? {};
      const pct = action.split("_")[1] ?? "";
      const made = new Date().toISOString().replace("Z", String(randomBytes(1)[0]).padStart(3, "0"));
      const proposal = {
        harvest_action: action,
        kill_score: "0.7",
        new_sl_proposed: "None",
        R_net: "4.2",
        computed_at_utc: made,
        last_update_epoch: String(Math.floor(Date.now() / 1000)),
      };
      await client.xadd(keys.streams.proposal, "*", "symbol", symbol, ...Object.entries(proposal).flat());
      const id = planId({
        symbol,
        harvestAction: action,
        killScore: 0.7,
        newSlProposed: undefined,
        computedAtUtc: made,
      });
      const opened = await eventually(
        async () => (await entriesOf(keys.streams.plan)).find(({ fields }) => fields["plan_id"] === id),
        WAIT_MS,
        "the plan is published",
      );
      return { id, attempt: opened.id, symbol, step: `CLOSE_${action}`, pct, quantity };
    },

    /** A plan that no service knows. */
    async invent(symbol = "BTCUSDT"): Promise<Plan> {
      const { quantity = "1" } = SMALL[symbol] ?? {};
      const attempt = `${await redisMs()}-0`;
      return {
        id: randomBytes(8).toString("hex"),
        attempt,
        symbol,
        step: "CLOSE_PARTIAL_50",
        pct: "50",
        quantity,
      };
    },

    /** What the issuer signs of the plan, or what `over` says instead. */
    async text(issuer: Issuer, plan: Plan, over: Partial<Claims> = {}, by?: Signer): Promise<string> {
      const signer = by ?? this.signerOf(issuer);
      const carries = issuer === QUANTITY_ISSUER;
      const nowMs = await redisMs();
      return signer.sign({
        issuer,
        class: "issuer",
        mode: "paper",
        venue: "simulated",
        account: "main",
        plan: plan.id,
        attempt: plan.attempt,
        symbol: plan.symbol,
        side: carries ? "SELL" : "",
        step: plan.step,
        pct: plan.pct,
        safe_qty: carries ? plan.quantity : "",
        position: carries ? (SMALL[plan.symbol]?.position ?? "1") : "",
        computed_qty: "",
        issued_ms: String(nowMs),
        until_ms: String(nowMs + VALID_MS),
        ...over,
      });
    },

    async texts(plan: Plan, over: Partial<Claims> = {}): Promise<[governor: string, p33: string]> {
      return [await this.text("governor", plan, over), await this.text("p33", plan, over)];
    },

    /** An operator's plan, which no service opened: all of the position, as `permitctl` would sign it. */
    async inventExit(symbol = "BTCUSDT"): Promise<Plan> {
      const plan = await this.invent(symbol);
      return { ...plan, step: "CLOSE_BY_OPERATOR", pct: "100" };
    },

    /** What the operator signs of it, or what `over` says instead. */
    async exitText(plan: Plan, over: Partial<Claims> = {}, by: Signer = operator): Promise<string> {
      const nowMs = await redisMs();
      return by.sign({
        issuer: RUN_OPERATOR,
        class: "operator",
        mode: "paper",
        venue: "simulated",
        account: "main",
        plan: plan.id,
        // The attempt does not exist when an exit is signed.
        attempt: "0-0",
        symbol: plan.symbol,
        side: "SELL",
        step: plan.step,
        pct: plan.pct,
        safe_qty: plan.quantity,
        position: SMALL[plan.symbol]?.position ?? "1",
        computed_qty: "",
        issued_ms: String(nowMs),
        until_ms: String(nowMs + EXIT_VALID_MS),
        ...over,
      });
    },

    /** The private key of a service. */
    signerOf(issuer: Issuer): Signer {
      const signer = signers.get(issuer);
      if (signer === undefined) throw new Error(`no key of ${issuer}`);
      return signer;
    },

    /** What stands at the issuer's key, with its text or, where that is undefined, unsigned. */
    permit(issuer: Issuer, plan: Plan, signed: string | undefined, quantity = plan.quantity): string {
      const common = { symbol: plan.symbol, created_at: 1.5, attempt: plan.attempt, signed };
      const own =
        issuer === "governor"
          ? { granted: true, decision: "EXECUTE", computed_qty: 0, consumed: false }
          : {
              allow: true,
              safe_close_qty: Number(quantity),
              exchange_position_amt: Number(SMALL[plan.symbol]?.position ?? 1),
            };
      return JSON.stringify({ ...own, ...common });
    },

    /** Writes both permits where consume looks for them. */
    async grant(plan: Plan, [governor, p33]: readonly (string | undefined)[], quantity?: string) {
      await client
        .multi()
        .setex(keys.permit("governor", plan.id), 60, this.permit("governor", plan, governor))
        .setex(keys.permit("p33", plan.id), 60, this.permit("p33", plan, p33, quantity))
        .exec();
    },

    /** The fields of an execute entry, as consume would write them of these texts. */
    async entry(plan: Plan, texts: readonly string[], over: Fields = {}): Promise<Fields> {
      const nowMs = await redisMs();
      return {
        plan_id: plan.id,
        symbol: plan.symbol,
        attempt: plan.attempt,
        attempt_no: "1",
        step: plan.step,
        close_pct: plan.pct,
        position_amt: SMALL[plan.symbol]?.position ?? "1",
        safe_qty: plan.quantity,
        max_qty: "",
        valid_until_ms: String(nowMs + 5_000),
        opened_at_ms: String(nowMs),
        proposed_ms: String(nowMs),
        mode: "paper",
        signed: texts.join("\n"),
        ...over,
      };
    },

    /** The attacker's XADD. @returns the entry's id */
    async append(fields: Fields): Promise<string> {
      return (await client.xadd(keys.streams.execute, "*", ...Object.entries(fields).flat())) ?? "";
    },

    /** The same, and `spent` names it as the one that the permits were spent for. */
    async appendNamed(fields: Fields, quantity = fields["safe_qty"] ?? ""): Promise<string> {
      const spent = `OK ${fields["attempt"]} ${await redisMs()} ${quantity} ENTRY ${fields["symbol"]}`;
      const values = [spent, ...Object.entries(fields).flat()];
      const id = await client.eval(
        APPEND_NAMED,
        2,
        keys.streams.execute,
        keys.spent(fields["plan_id"] ?? ""),
        ...values,
      );
      return String(id);
    },

    /** The real entry of a plan whose permits were spent. */
    execution: (plan: Plan) =>
      eventually(
        async () =>
          (await entriesOf(keys.streams.execute)).find(({ fields }) => fields["plan_id"] === plan.id),
        WAIT_MS,
        "the plan is handed over",
      ),

    async results(plan: Pick<Plan, "id">): Promise<Fields[]> {
      return (await entriesOf(keys.streams.result))
        .map(({ fields }) => fields)
        .filter(({ plan_id: id }) => id === plan.id);
    },

    result(plan: Plan, timeoutMs = WAIT_MS): Promise<Fields> {
      return eventually(async () => (await this.results(plan))[0], timeoutMs, "the plan's result");
    },

    /** Its dead letter's reason. */
    deadLetter: (entryId: string): Promise<string> =>
      eventually(
        async () =>
          (await entriesOf(keys.streams.deadLetter)).find(({ fields }) => fields["entry_id"] === entryId)
            ?.fields["reason"],
        WAIT_MS,
        "the entry is a dead letter",
      ),

    async orders(plan: Pick<Plan, "id">): Promise<number> {
      return ordersByPlan(await rig.simState()).get(plan.id) ?? 0;
    },

    /** What the exchange executed for the plan. */
    async executedQty({ id }: Pick<Plan, "id">): Promise<number> {
      const { orders } = await rig.simState();
      return orders
        .filter(({ clientOrderId }) => clientOrderId.startsWith(`qp-${id}-`))
        .reduce((sum, { executedQty }) => sum + Number(executedQty), 0);
    },

    /** All that is known of a plan. */
    async known({ id }: Pick<Plan, "id">) {
      return {
        record: await client.hgetall(keys.plan(id)),
        claim: await client.hgetall(keys.order(id)),
        spent: await client.get(keys.spent(id)),
        results: await this.results({ id }),
        orders: await this.orders({ id }),
      };
    },

    /** A plan that was permitted and executed, as it should be. */
    async executedPlan(symbol = "BTCUSDT"): Promise<{ plan: Plan; texts: [string, string]; entry: Fields }> {
      const plan = await this.propose(symbol);
      const texts = await this.texts(plan);
      await this.grant(plan, texts);
      const result = await this.result(plan);
      if (result["outcome"] !== "EXECUTED") throw new Error(`not executed: ${JSON.stringify(result)}`);
      const { fields } = await this.execution(plan);
      return { plan, texts, entry: fields };
    },

    /** Deletes all that Redis knows of the plan's order. */
    async forgetOrder({ id, symbol }: Plan): Promise<void> {
      await client
        .multi()
        .del(keys.order(id), keys.plan(id), keys.spent(id))
        .hdel(keys.handedOver, id)
        .zrem(keys.unsettled(symbol), id)
        .exec();
    },

    /** How many entries the executor did not believe, for this reason. */
    async distrusted(reason: string): Promise<number> {
      const text = await (await fetch(`${started.get("executor")?.url}/metrics`)).text();
      const value = new RegExp(
        `^quantum_permits_distrusted_total\\{[^}]*reason="${reason}"[^}]*\\} (\\d+)`,
        "m",
      ).exec(text)?.[1];
      return Number(value ?? 0);
    },

    stop: () => rig.stop(),
  };
}
