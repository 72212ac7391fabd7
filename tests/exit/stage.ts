/**
 * Where exits take place: Redis, the simulated exchange and an executor, and `permitctl` as the process that an operator
 * runs, with the rights of the Redis user `operator`. Nothing else is needed, so nothing else is started by default.
 */
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { SymbolSpec } from "@quantum/exchange-sim";
import {
  endProcess,
  eventually,
  RUN_OPERATOR,
  type ServiceProcess,
  spawnGuarded,
  urlOfUser,
} from "@quantum/harness";
import { startRig } from "@quantum/harness/rig";
import { operatorKeyFile } from "@quantum/topology";
import { Big } from "big.js";
import { expect } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
/** An exit takes well below a second; a test may have to wait for a takeover, a doubt or the load of the machine. */
const PATIENCE_MS = 30_000;
/** The executor's own doubts end within a test. */
const QUICK_DOUBTS = { EXECUTOR_TIMEOUT_MS: "1000", EXECUTOR_RECV_WINDOW_MS: "2000" };

export interface Ended {
  code: number | null;
  /** stdout and stderr. */
  output: string;
}

export interface Running {
  ended: Promise<Ended>;
  /** The output so far, once it contains the text; rejects if it ends before. */
  until: (text: string | RegExp) => Promise<string>;
  interrupt: () => Promise<void>;
}

interface VenueState {
  positions: { symbol: string; positionAmt: string }[];
  orders: {
    symbol: string;
    orderId: string;
    clientOrderId: string;
    origin: string;
    side: string;
    reduceOnly: boolean;
    status: string;
    origQty: string;
    executedQty: string;
  }[];
  algoOrders: { symbol: string; status: string }[];
  trades: { symbol: string; orderId: string; side: string; qty: string }[];
}

export type ExitStage = Awaited<ReturnType<typeof openExitStage>>;

export interface ExitStageOptions {
  market?: readonly SymbolSpec[];
  /** Beside the executor, with what their environment has beside the rig's. */
  services?: Readonly<Record<string, Record<string, string>>>;
  executor?: Record<string, string>;
}

export async function openExitStage({ market, services = {}, executor = {} }: ExitStageOptions = {}) {
  const rig = await startRig(market);
  const { client, keys, keysFolder, venueUrl } = rig;
  const started = new Map<string, ServiceProcess>();

  async function sim(method: string, path: string, body?: object): Promise<unknown> {
    const response = await fetch(`${venueUrl}${path}`, {
      method,
      ...(body && { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  // The simulated strategy would open again what an exit has closed.
  await sim("POST", "/sim/strategy", { enabled: false });
  const all = { ...services, executor: { ...QUICK_DOUBTS, ...executor } };
  for (const [name, service] of await Promise.all(
    Object.entries(all).map(async ([name, env]) => [name, await rig.start(name, env)] as const),
  ))
    started.set(name, service);

  const state = async () => (await sim("GET", "/sim/state")) as VenueState;

  return {
    rig,
    client,
    keys,
    started,
    sim,
    state,
    keyFile: join(keysFolder, operatorKeyFile(RUN_OPERATOR)),

    fault: (fault: Record<string, unknown>) => sim("POST", "/sim/faults", fault),

    /** What is open, by symbol. */
    async open(): Promise<Record<string, string>> {
      const { positions } = await state();
      return Object.fromEntries(
        positions
          .filter(({ positionAmt }) => !Big(positionAmt).eq(0))
          .map(({ symbol, positionAmt }) => [symbol, positionAmt]),
      );
    },

    /** Our orders of a symbol, or all of them. */
    async sent(symbol?: string) {
      const { orders } = await state();
      return orders.filter(
        (order) => order.clientOrderId.startsWith("qp-") && (symbol === undefined || order.symbol === symbol),
      );
    },

    async start(args: readonly string[], env: Record<string, string> = {}): Promise<Running> {
      const child = await spawnGuarded(process.execPath, ["scripts/permitctl.mjs", ...args], {
        cwd: ROOT,
        env: {
          PATH: process.env["PATH"] ?? "",
          // No operator of this machine has a key here.
          HOME: rig.redis.dir,
          REDIS_URL: urlOfUser(rig.redis.url, "operator"),
          PERMITCTL_OPERATOR_KEY: join(keysFolder, operatorKeyFile(RUN_OPERATOR)),
          ...env,
        },
      });
      const lines: string[] = [];
      const watchers = new Set<() => void>();
      for (const stream of [child.stdout, child.stderr])
        createInterface({ input: stream }).on("line", (line) => {
          lines.push(line);
          for (const look of watchers) look();
        });
      const ended = once(child, "close").then(([code]) => ({
        code: code as number | null,
        output: lines.join("\n"),
      }));
      const until = (text: string | RegExp) =>
        new Promise<string>((resolve, reject) => {
          const look = () => {
            const output = lines.join("\n");
            if (typeof text === "string" ? output.includes(text) : text.test(output)) resolve(output);
          };
          watchers.add(look);
          look();
          void ended.then(({ output }) => reject(new Error(`ended without ${String(text)}:\n${output}`)));
        });
      return { ended, until, interrupt: () => endProcess(child, "SIGINT") };
    },

    async permitctl(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
      return (await this.start(args, env)).ended;
    },

    /** An exit as a script runs it: without questions, for the executor of a rig. */
    exit(args: readonly string[], env: Record<string, string> = {}): Promise<Running> {
      const place = ["--mode", "paper", "--venue", "simulated", "--account", "main"];
      return this.start([...args, ...place, "--yes", "--reason", "a test"], env);
    },

    async flatten(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
      return (await this.exit(["flatten", ...args], env)).ended;
    },

    /** Another executor, once it has started. */
    async replaceExecutor(): Promise<void> {
      started.set("executor", await rig.start("executor", QUICK_DOUBTS));
    },

    until: <T>(probe: () => Promise<T | undefined>, what: string) => eventually(probe, PATIENCE_MS, what),

    stop: () => rig.stop(),
  };
}

/** A finished exit that says that it has done what was asked for. */
export function expectFlat({ code, output }: Ended): void {
  expect(code === 0 ? "flat" : output).toBe("flat");
}

/**
 * I5, from the exchange's own trades: an order of ours only ever made a position smaller, so it never opened, enlarged or
 * flipped one, and never closed more than there was.
 */
export async function expectOnlyReduced(stage: ExitStage): Promise<void> {
  const { orders, trades } = await stage.state();
  const ours = new Set(
    orders
      .filter(({ clientOrderId }) => clientOrderId.startsWith("qp-"))
      .map(({ symbol, orderId }) => `${symbol} ${orderId}`),
  );
  const amounts = new Map<string, Big>();
  const wrong: string[] = [];
  for (const { symbol, orderId, side, qty } of trades) {
    const before = amounts.get(symbol) ?? Big(0);
    const after = side === "BUY" ? before.plus(qty) : before.minus(qty);
    amounts.set(symbol, after);
    if (!ours.has(`${symbol} ${orderId}`)) continue;
    if (after.times(before).lt(0) || after.abs().gte(before.abs()))
      wrong.push(`order ${orderId} took ${symbol} from ${before.toFixed()} to ${after.toFixed()}`);
  }
  expect(wrong).toEqual([]);
  const plans = orders.flatMap(({ clientOrderId }) => /^qp-([0-9a-f]{16})-/.exec(clientOrderId)?.[1] ?? []);
  expect(plans.length - new Set(plans).size, "plans with more than one order (I1)").toBe(0);
}
