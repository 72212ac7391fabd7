/** What the terminal shows while the pipeline runs. If the output is not a terminal, plain lines. */
import { fieldValue, isWaitLine, withoutWaitMark } from "@quantum/contract";
import { type Line, type Output, standardOutput, styled } from "@quantum/service-kit";
import type { LogRecord, PlanRecord, ResultRecord } from "@quantum/harness";
import type { ServiceName } from "@quantum/topology";
import { explain } from "./explain.ts";

/** Pino's number for errors. */
const LEVEL_ERROR = 50;
/** Where lines cannot be overwritten, how often a progress line is printed. */
const PLAIN_PROGRESS_MS = 5_000;
/** How long an error waits. When a process exits, its neighbours log errors before this launcher notices the exit. */
const HOLD_MS = 300;
const REPEAT_MS = 10_000;
/** The most different errors kept, because a run may last days. */
const REMEMBERED = 1_000;

export interface DisplayOptions {
  verbose: boolean;
  /** A bounded run shows progress, and explains each reason once. */
  bounded: boolean;
  output?: Output;
}

export class Display {
  readonly #verbose: boolean;
  readonly #bounded: boolean;
  readonly #output: Output;
  readonly #explained = new Set<string>();
  /** Errors of services are held briefly, because the launcher may know their common cause. */
  readonly #held: string[] = [];
  /** Error → how often it occurred since it was last shown, and when that was. */
  readonly #repeated = new Map<string, { count: number; shownAt: number }>();
  #muted = false;
  #progress = "";
  #plainProgressAt = 0;

  constructor({ verbose, bounded, output = standardOutput() }: DisplayOptions) {
    this.#verbose = verbose;
    this.#bounded = bounded;
    this.#output = output;
  }

  line(line: Line): void {
    this.#output.line(line);
  }

  error(text: string): void {
    this.line(styled("red", text));
  }

  /** Shows why the run failed. The text may end with a service's last lines. */
  failure(text: string): void {
    for (const line of text.split("\n")) this.error(withoutWaitMark(line));
  }

  /** Stops showing services' errors, because their cause has been shown. */
  muteErrors(): void {
    this.#muted = true;
    this.#held.length = 0;
  }

  /** Shows errors that were held. */
  flush(): void {
    for (const text of this.#held.splice(0)) this.error(withoutWaitMark(text));
  }

  /** Replaces the progress line; "" removes it. */
  progress(text: string): void {
    if (this.#output.isTerminal) {
      this.#output.status(text);
      return;
    }
    const now = performance.now();
    if (text === "" || text === this.#progress || now - this.#plainProgressAt < PLAIN_PROGRESS_MS) return;
    this.#progress = text;
    this.#plainProgressAt = now;
    this.line(text);
  }

  record(service: ServiceName, record: LogRecord): void {
    const { msg } = record;
    if (service === "apply-layer" && isWaitLine(msg)) {
      const blocked = msg.startsWith("[PERMIT_WAIT] BLOCK ");
      this.line(styled(blocked ? "yellow" : "green", msg));
      if (blocked) this.#explain(String(record["reason"]));
    } else if (record.level >= LEVEL_ERROR) {
      const message = (record["err"] as { message?: unknown } | undefined)?.message;
      const cause = typeof message === "string" && !msg.includes(message) ? `: ${message}` : "";
      this.#serviceError(`${service}: ${msg}${cause}`);
    } else if (this.#verbose) {
      this.line(styled("dim", withoutWaitMark(`${service}: ${msg}`)));
    }
  }

  /** A service's output that is not a log record. */
  text(service: ServiceName, line: string): void {
    this.#serviceError(`${service}: ${line}`);
  }

  /** A plan that was refused before it could wait. */
  plan({ planId, symbol, decision, reason }: PlanRecord): void {
    if (decision !== "BLOCKED" && decision !== "ERROR") return;
    const words = `[PLAN] ${decision} plan=${planId} symbol=${symbol} reason=${fieldValue(reason)}`;
    this.line(styled("yellow", words));
    this.#explain(reason);
  }

  result({ planId, symbol, outcome, reason, details }: ResultRecord): void {
    if (outcome === "EXECUTED") this.line(withoutWaitMark(`${symbol}: ${details}`));
    if (outcome === "REJECTED" || outcome === "NOT_PLACED") {
      const words = `${symbol}: Plan ${planId} ended ${outcome}, reason ${fieldValue(reason)}`;
      this.line(styled("yellow", words));
    }
  }

  /** Repeated errors are counted and shown occasionally, with their count. */
  #serviceError(text: string): void {
    if (this.#muted) return;
    const now = performance.now();
    const repeated = this.#repeated.get(text);
    if (repeated !== undefined && now - repeated.shownAt < REPEAT_MS) {
      repeated.count += 1;
      return;
    }
    const count = repeated === undefined || repeated.count === 0 ? "" : ` (${repeated.count} times more)`;
    if (this.#repeated.size >= REMEMBERED) this.#repeated.clear();
    this.#repeated.set(text, { count: 0, shownAt: now });
    if (this.#held.length === 0) setTimeout(() => this.flush(), HOLD_MS).unref();
    this.#held.push(`${text}${count}`);
  }

  #explain(reason: string): void {
    if (this.#bounded && this.#explained.has(reason)) return;
    this.#explained.add(reason);
    this.line(styled("dim", `    ${explain(reason)}`));
  }
}
