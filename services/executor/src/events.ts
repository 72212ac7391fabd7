/** The executor's events. Logs, metrics and tests use them. */
import { EventEmitter } from "node:events";
import type { Cancellation, Placement } from "@quantum/exchange";
import type { PassedStage } from "@quantum/service-kit";
import type { Doubt, SettledBy, Settlement } from "./decide.ts";
import type { OrderRef } from "./order.ts";
import type { PermitFlaw } from "./verify.ts";

/** What can wait at the exchange: an order in the book, or a conditional one that has not triggered. */
export const RESTING_KINDS = ["order", "algo"] as const;
export type RestingKind = (typeof RESTING_KINDS)[number];

export interface Events {
  /** Claimed and about to be sent. */
  claimed: [OrderRef & { clientOrderId: string; side: string; quantity: string }];
  /** NOT_PLACED without a claim. */
  refused: [OrderRef & { reason: string }];
  /** The permits of an entry are not what the issuers signed; it is not sent. */
  distrusted: [OrderRef & { reason: PermitFlaw; why: string; entryId: string }];
  /** An order has passed a stage on its way. */
  passed: [PassedStage];
  settled: [OrderRef & Settlement & { by: SettledBy }];
  doubted: [OrderRef & { doubt: Doubt; detail: string }];
  /** The exchange was queried about an order and could not settle it yet. */
  unresolved: [
    {
      planId: string;
      symbol: string;
      clientOrderId: string;
      /** How long the exchange has reported no such order. */
      absentMs: number;
      asked: number;
      why: string;
    },
  ];
  /** An order that had been settled as not placed was found. Result `corrects` is corrected. */
  corrected: [OrderRef & Settlement & { corrects: string }];
  /** An exit has read the position, and is about to be claimed. */
  exiting: [OrderRef & { operator: string; side: string; quantity: string; position: string }];
  /** An exit has tried to cancel an order that waits at the exchange. */
  cancelled: [
    OrderRef & {
      kind: RestingKind;
      id: string;
      type: string;
      outcome: Cancellation["outcome"];
      /** Of a failure, or empty. */
      why: string;
    },
  ];
  /** A drill has reported what an exit would do, and what would stop it. */
  drilled: [{ planId: string; operator: string; positions: number; cancels: number; hindrances: string[] }];
  /** The exchange accepts no orders for a while. */
  paused: [{ pauseMs: number; why: string }];
  /** A request to the exchange has ended. */
  called: [{ endpoint: string; outcome: Placement["outcome"] | "ok" | "error"; tookMs: number }];
  /** Redis was restarted or replaced. It may have forgotten claims of plans opened before `sinceMs`. */
  rewound: [InPartition & { sinceMs: number }];
  /** This executor owns the orders, since `sinceMs` by Redis's clock. */
  owned: [InPartition & { sinceMs: number }];
  /** Another executor owns them, and this one stands by. */
  stoodBy: [InPartition & { owner: string }];
  /** This executor no longer owns the orders. */
  disowned: [InPartition];
  failed: [InPartition & { doing: string; error: Error }];
}

/** Where there are several partitions, events of one name it: {@link reportingFrom}. */
interface InPartition {
  partition?: string;
}

export type ExecutorEmitter = EventEmitter<Events>;

/** Where the executor's parts report. */
export interface ExecutorEvents {
  emit<Name extends keyof Events>(name: Name, ...args: Events[Name]): unknown;
}

export function createEvents(): ExecutorEmitter {
  return new EventEmitter<Events>();
}

/** @param partition its name, which its events then carry; "" adds nothing */
export function reportingFrom(partition: string, events: ExecutorEvents): ExecutorEvents {
  if (partition === "") return events;
  return {
    emit: (name, ...[event]) =>
      events.emit(name, ...([{ ...event, partition }] as unknown as Events[typeof name])),
  };
}
