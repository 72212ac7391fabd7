/** What happens in the executor; logs, metrics and tests follow it from here. */
import { EventEmitter } from "node:events";
import type { Placement } from "@quantum/exchange";
import type { Doubt, Settlement } from "./decide.ts";
import type { OrderRef } from "./order.ts";

export interface Events {
  /** Claimed and about to be sent. */
  claimed: [OrderRef & { clientOrderId: string; side: string; quantity: string }];
  /** NOT_PLACED without ever having been claimed. */
  refused: [OrderRef & { reason: string }];
  settled: [OrderRef & Settlement];
  doubted: [OrderRef & { doubt: Doubt; detail: string }];
  /** The exchange was queried an order and could not settle it yet. */
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
  /** An order that had been settled as not placed showed up: result `corrects` is corrected. */
  corrected: [OrderRef & Settlement & { corrects: string }];
  /** The exchange wants no orders for a while. */
  paused: [{ pauseMs: number; why: string }];
  /** A request to the exchange has ended. */
  called: [{ endpoint: string; outcome: Placement["outcome"] | "ok" | "error"; tookMs: number }];
  /** Redis was restarted or replaced: of plans opened before `sinceMs` it may have forgotten claims. */
  rewound: [{ sinceMs: number }];
  failed: [{ doing: string; error: Error }];
}

export type ExecutorEvents = EventEmitter<Events>;

export function createEvents(): ExecutorEvents {
  return new EventEmitter<Events>();
}
