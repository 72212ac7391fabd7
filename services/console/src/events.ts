/** What happens in the console, for its logs and metrics. */
import { EventEmitter } from "node:events";
import type { ActionName } from "./api.ts";
import type { Guard } from "./refusal.ts";

export type LoginOutcome = "succeeded" | "refused" | "limited";
export type ActionOutcome = "done" | "refused" | "failed";

export class ConsoleEvents extends EventEmitter<{
  /** A request that a guard refused. */
  refused: [refused: { guard: Guard; address: string; path: string; why: string }];
  login: [login: { outcome: LoginOutcome; user: string; address: string }];
  action: [action: { action: ActionName; outcome: ActionOutcome; who: string; reason: string; told: string }];
  /** The browser read too slowly. */
  streamDropped: [];
  answered: [answered: { status: number }];
  /** The pipeline's present cannot be read. */
  away: [error: Error];
  /** It can again. */
  back: [];
  failed: [failed: { path: string; error: Error }];
}> {}
