/** Planted bugs of what sends orders and settles them. */
import type { Mutant } from "./mutant.ts";

const CLAIM = "lua/orders/claim.lua";
const EXECUTOR = "services/executor/src";

export const ORDER_MUTANTS: readonly Mutant[] = [
  {
    bug: "an earlier version takes a claimed order for one that was never claimed",
    edits: [
      {
        file: "lua/orders/settle.lua",
        find: "outcome == 'NOT_PLACED' and UNPLACED or outcome",
        replace: "outcome",
      },
    ],
    test: `${EXECUTOR}/orders.test.ts`,
    only: "in one step",
  },
  {
    bug: "the order is sent again after an ambiguous answer",
    edits: [
      {
        file: `${EXECUTOR}/steps.ts`,
        find: "const placement = await exchange.placeReduceOnlyMarket(request);",
        replace: `const first = await exchange.placeReduceOnlyMarket(request);
    const placement = first.outcome === "ambiguous" ? await exchange.placeReduceOnlyMarket(request) : first;`,
      },
    ],
    test: `${EXECUTOR}/executor.test.ts`,
    only: "503_after|-1007: one order",
  },
  {
    bug: "the order is settled as executed before it is sent",
    edits: [
      {
        file: `${EXECUTOR}/steps.ts`,
        find: "const first = await orderEvents.firstWord(order, () => place(request));",
        replace: `await orders.settle(
      order,
      { outcome: "EXECUTED", reason: "", detail: "", orderId: "", executedQty: quantity, avgPrice: "" },
      "answer",
    );
    const first = await orderEvents.firstWord(order, () => place(request));`,
      },
    ],
    test: `${EXECUTOR}/executor.test.ts`,
    only: "-2022",
  },
  {
    bug: "an event of another order settles the one that waits for its answer",
    edits: [
      {
        file: `${EXECUTOR}/order-events.ts`,
        find: "const waiting = this.#waiting.get(event.clientOrderId);\n    if (waiting?.symbol === event.symbol) {",
        replace: "const waiting = [...this.#waiting.values()][0];\n    if (waiting !== undefined) {",
      },
    ],
    test: `${EXECUTOR}/order-events.test.ts`,
    only: "waits for its answer",
  },
  {
    bug: "an event of another order settles the plan's order in doubt",
    edits: [
      {
        file: `${EXECUTOR}/order-events.ts`,
        find: "if (order?.clientOrderId !== event.clientOrderId || order.symbol !== event.symbol) return;",
        replace: "if (order === undefined) return;",
      },
    ],
    test: `${EXECUTOR}/order-events.test.ts`,
    only: "of another order settles nothing",
  },
  {
    bug: "an event settles an order that is not closed yet",
    edits: [
      {
        file: `${EXECUTOR}/order-events.ts`,
        find: "if (!isClosed(event)) return;",
        replace: "",
      },
    ],
    test: `${EXECUTOR}/order-events.test.ts`,
    only: "the order is open",
  },
  {
    bug: "an order that Redis may have forgotten is sent without asking the exchange first",
    edits: [
      {
        file: `${EXECUTOR}/redis-memory.ts`,
        find: "return madeMs < sinceMs ||",
        replace: "return madeMs < 0 ||",
      },
    ],
    // The owner's lease is lost with the keyspace, which also leads to queries.
    test: `${EXECUTOR}/redis-memory.test.ts`,
    only: "a loss stays known",
  },
  {
    bug: "an executor that is new after a failover believes that the promoted replica has forgotten nothing",
    edits: [
      {
        file: `${EXECUTOR}/redis-memory.ts`,
        find: "Math.max(startedMs, epoch.sinceMs)",
        replace: "startedMs",
      },
    ],
    test: `${EXECUTOR}/redis-memory.test.ts`,
    only: "become master",
  },
  {
    bug: "a master that was replaced, and is master again, is believed to have forgotten nothing",
    edits: [
      {
        file: `${EXECUTOR}/redis-memory.ts`,
        find: 'field("master_replid")',
        replace: 'field("run_id")',
      },
    ],
    test: `${EXECUTOR}/redis-memory.slow.test.ts`,
    only: "is master again",
  },
  {
    bug: "an entry that is repeated in another partition is handled there",
    edits: [
      {
        file: `${EXECUTOR}/handler.ts`,
        find: 'if (exitClass !== "drill" && !isHere(entry.symbol)) return elsewhere(entry.symbol);',
        replace: "",
      },
    ],
    test: `${EXECUTOR}/partitions.test.ts`,
    only: "repeated in another partition",
  },
  {
    bug: "an executor that owned one partition all along trusts its journal in those that it takes over",
    edits: [
      {
        file: `${EXECUTOR}/journal.ts`,
        find: "void (this.#sinceMs[partition] = sinceMs)",
        replace: "void (this.#sinceMs[0] = sinceMs)",
      },
    ],
    test: `${EXECUTOR}/journal.test.ts`,
    only: "for each since its own time",
  },
  {
    bug: "an order is sent though too few replicas have its claim",
    edits: [
      {
        file: `${EXECUTOR}/handler.ts`,
        find: "(await steps.replicated(order, proof)) ?? ",
        replace: "",
      },
    ],
    test: `${EXECUTOR}/replication.test.ts`,
  },
  {
    bug: "NOT_PLACED after the first answer that there is no such order",
    edits: [
      {
        file: "lua/orders/note.lua",
        find: "answer == 'absent' and absent >= absence_ms",
        replace: "answer == 'absent'",
      },
    ],
    test: `${EXECUTOR}/queries.test.ts`,
  },
  {
    bug: "absence is measured by Redis's clock alone",
    edits: [
      {
        file: "lua/orders/note.lua",
        find: "math.min(now - tonumber(absent_at), elapsed_ms)",
        replace: "now - tonumber(absent_at)",
      },
    ],
    test: `${EXECUTOR}/queries.test.ts`,
  },
  {
    bug: "absence by one source: the account is not looked at",
    edits: [
      {
        file: `${EXECUTOR}/resolve.ts`,
        find: 'if (account?.kind === "silent") return',
        replace: "return",
      },
    ],
    test: `${EXECUTOR}/absence.slow.test.ts`,
    only: "a trade of an order that nobody knows",
  },
  {
    bug: "NOT_PLACED before the send window has ended",
    edits: [
      {
        file: `${EXECUTOR}/decide.ts`,
        find: 'venueMs > windowEndMs ? "absent" : "none"',
        replace: '"absent"',
      },
    ],
    test: `${EXECUTOR}/decide.test.ts`,
  },
  {
    bug: "a query that failed counts as `no such order`",
    edits: [
      {
        file: `${EXECUTOR}/resolve.ts`,
        find: 'finding?.answer ?? "none"',
        replace: 'finding?.answer ?? "absent"',
      },
      {
        file: `${EXECUTOR}/resolve.ts`,
        find: "if (evidence !== undefined && (noted.isLongEnough || stated !== undefined)) {",
        replace: "if (noted.isLongEnough) {",
      },
      {
        file: `${EXECUTOR}/resolve.ts`,
        find: "queryAccount(exchange, order, evidence.venueMs)",
        replace: "queryAccount(exchange, order, exchange.now())",
      },
    ],
    test: `${EXECUTOR}/absence.slow.test.ts`,
    only: "a query that cannot be read",
  },
  {
    bug: "the order's quantity ignores the safe quantity of the permits",
    edits: [
      {
        file: `${EXECUTOR}/decide.ts`,
        find: "least(planned, largest, Big(entry.safe_qty))",
        replace: "least(planned, largest)",
      },
    ],
    test: `${EXECUTOR}/decide.test.ts`,
  },
  {
    bug: "a 5xx is taken for a rejection",
    edits: [
      {
        file: "packages/exchange/src/error-classes.ts",
        find: "httpStatus >= 400 && httpStatus < 500",
        replace: "httpStatus >= 400",
      },
    ],
    test: "packages/exchange/src/error-classes.test.ts",
  },
  {
    bug: "claim does not check that the permits were spent",
    edits: [
      {
        file: CLAIM,
        find: "if not proof.is_enough and is_verified then return { 'UNSPENT' } end",
        replace: "proof.at = proof.at or now",
      },
    ],
    test: `${EXECUTOR}/claim.test.ts`,
  },
  {
    bug: "the executor reads the kill switch before the claim, not in its script",
    edits: [
      {
        file: CLAIM,
        find: "  or not passes_halts and halted(kill_switch, kill_switch_seen, disarm, disarm_today)\n",
        replace: "",
      },
      {
        file: `${EXECUTOR}/orders.ts`,
        find: "const { entry, refusal, detail, isVerified, signatures } = request;",
        replace: `const { entry, detail, isVerified, signatures } = request;
        const off = [null, "0", "false", "off", "no"];
        const { kill_switch, disarm, disarm_today } = haltKeys(redis, keys);
        const [killSwitch, ...disarms] = await Promise.all(
          [kill_switch, disarm, disarm_today].map((key) => redis.get(key).catch(() => "unreadable")),
        );
        const halt = off.includes(killSwitch?.trim().toLowerCase() ?? null)
          ? disarms.some((disarm) => disarm !== null) && "disarmed"
          : "kill_switch_active";
        const refusal = halt || request.refusal;`,
      },
    ],
    test: `${EXECUTOR}/claim.test.ts`,
  },
  {
    bug: "a plan that was sent opens again once evidence says that it was not placed",
    edits: [
      {
        file: "lua/shared/order_possible.lua",
        find: "return claimed or (state",
        replace: "return (state",
      },
    ],
    test: "services/apply-layer/src/open.test.ts",
  },
  {
    bug: "plans whose permits are spent are not swept",
    edits: [
      {
        file: `${EXECUTOR}/handovers.ts`,
        find: "const isClaimed = await this.#endUnclaimed(handOver);",
        replace: "const isClaimed = false as boolean;",
      },
    ],
    test: `${EXECUTOR}/handovers.slow.test.ts`,
    only: "a handover whose entry is lost",
  },
  {
    bug: "a handover that was claimed ends as lost once its claim is deleted",
    edits: [
      {
        file: "lua/orders/handover_lost.lua",
        find: "if claim.err or is_unsettled or (is_current and record[2]) or",
        replace: "if",
      },
    ],
    test: `${EXECUTOR}/handovers.slow.test.ts`,
    only: "an order in doubt",
  },
  {
    bug: "an order that ended by absence is no longer queried once its order key is lost",
    edits: [
      {
        file: "lua/orders/keep_absent.lua",
        find: "if is_lost and not copy then",
        replace: "if is_lost then",
      },
    ],
    test: `${EXECUTOR}/late-orders.test.ts`,
    only: "order deleted",
  },
  {
    bug: "an order is sent before it is in the journal",
    edits: [
      {
        file: `${EXECUTOR}/steps.ts`,
        find: "const isFirst = await recorded.catch((error: Error) => error);",
        replace: `void recorded.catch(() => undefined);
    const isFirst = true as boolean | Error;`,
      },
    ],
    test: `${EXECUTOR}/replayed.test.ts`,
    only: "cannot be recorded",
  },
  {
    bug: "a plan in the journal is sent again once its claim is deleted",
    edits: [
      {
        file: `${EXECUTOR}/journal.ts`,
        find: "return this.#sent.has(planId);",
        replace: 'return planId === "";',
      },
      {
        file: `${EXECUTOR}/journal.ts`,
        find: "if (this.#sent.has(sent.planId)) return false;",
        replace: "",
      },
    ],
    test: `${EXECUTOR}/replayed.test.ts`,
    only: "another attempt",
  },
  {
    bug: "an order that Redis has forgotten with its plan is not queried",
    edits: [
      {
        file: `${EXECUTOR}/order-partition.ts`,
        find: "new RedisMemory(redis, keys, events, lostClaims.lost)",
        replace: "new RedisMemory(redis, keys, events)",
      },
    ],
    test: `${EXECUTOR}/lost-plan.slow.test.ts`,
  },
  {
    bug: "an order whose plan has ended is queried a second time after a loss of memory",
    edits: [
      {
        file: "lua/orders/recall.lua",
        find: "if is_current and (state == 'EXECUTED' or state == 'REJECTED') then return { 'KNOWN' } end",
        replace: "",
      },
    ],
    test: `${EXECUTOR}/recall.test.ts`,
    only: "the record has the outcome",
  },
  {
    bug: "an attempt that was blocked before its order was queried gets a second result",
    edits: [
      {
        file: "lua/orders/recall.lua",
        find: "local has_ended = is_current and ended_at",
        replace: "local has_ended = false",
      },
    ],
    test: `${EXECUTOR}/recall.test.ts`,
    only: "LATE",
  },
  {
    bug: "an order is queried beside another attempt that would query it, and the plan has two results",
    edits: [
      {
        file: "lua/orders/recall.lua",
        find: "if attempt and not is_current and not ended_at then return { 'LATER' } end",
        replace: "",
      },
    ],
    test: `${EXECUTOR}/recall.test.ts`,
    only: "LATER",
  },
  {
    bug: "the journal resolves before its line is on disk",
    edits: [
      {
        file: `${EXECUTOR}/journal.ts`,
        find: "await this.#append(sentLine(sent));",
        replace: "void this.#append(sentLine(sent)).catch(() => undefined);",
      },
    ],
    test: `${EXECUTOR}/journal.test.ts`,
    only: "a disk that fails",
  },
  {
    bug: "permits from before a takeover are trusted",
    edits: [
      {
        file: `${EXECUTOR}/ask-first.ts`,
        find: " || issuedMs <= ownerSinceMs",
        replace: "",
      },
    ],
    test: `${EXECUTOR}/ask-first.test.ts`,
  },
  {
    bug: "an executor that has lost the ownership still claims",
    edits: [
      {
        file: "lua/orders/claim.lua",
        find: "if redis.pcall('HGET', owner, 'instance') ~= instance then return { 'NOT_OWNER' } end",
        replace: "if owner == instance then return { 'NOT_OWNER' } end",
      },
    ],
    test: `${EXECUTOR}/claim.test.ts`,
    only: "NOT_OWNER",
  },
];
