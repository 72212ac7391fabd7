/** What the terminal shows while the pipeline runs. Plain lines where the output is no terminal. */
import { styleText } from "node:util";
import type { LogRecord } from "@quantum/testkit";
import { explain } from "./explain.ts";
import type { PlanRecord, ResultRecord } from "./history.ts";
import type { ServiceName } from "./services.ts";

/** Pino's number. */
const LEVEL_ERROR = 50;
/** Where lines cannot be overwritten, progress comes in lines of its own. */
const PLAIN_PROGRESS_MS = 5_000;

export interface DisplayOptions {
  verbose: boolean;
  /** A bounded run shows progress, and explains each reason once. */
  bounded: boolean;
  output?: NodeJS.WriteStream;
}

export class Display {
  readonly #verbose: boolean;
  readonly #bounded: boolean;
  readonly #output: NodeJS.WriteStream;
  readonly #explained = new Set<string>();
  #progress = "";
  #plainProgressAt = 0;

  constructor({ verbose, bounded, output = process.stdout }: DisplayOptions) {
    this.#verbose = verbose;
    this.#bounded = bounded;
    this.#output = output;
  }

  line(text: string): void {
    if (!this.#output.isTTY) {
      this.#output.write(`${text}\n`);
      return;
    }
    this.#output.write(`\r\x1b[2K${text}\n${this.#progress}`);
  }

  error(text: string): void {
    this.line(this.#style("red", text));
  }

  /** Replaces the last progress; "" takes it away. */
  progress(text: string): void {
    if (this.#output.isTTY) {
      this.#progress = text;
      this.#output.write(`\r\x1b[2K${text}`);
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
    if (service === "apply-layer" && msg.startsWith("[PERMIT_WAIT] ")) {
      const blocked = msg.startsWith("[PERMIT_WAIT] BLOCK ");
      this.line(this.#style(blocked ? "yellow" : "green", msg));
      if (blocked) this.#explain(String(record["reason"]));
    } else if (record.level >= LEVEL_ERROR) {
      const message = (record["err"] as { message?: unknown } | undefined)?.message;
      const cause = typeof message === "string" && !msg.includes(message) ? `: ${message}` : "";
      this.error(`${service}: ${msg}${cause}`);
    } else if (this.#verbose) {
      this.line(this.#style("dim", `${service}: ${msg}`));
    }
  }

  /** Output of a service that is no log record. */
  text(service: ServiceName, line: string): void {
    this.error(`${service}: ${line}`);
  }

  /** A plan that was refused before it could wait. */
  plan({ planId, symbol, decision, reason }: PlanRecord): void {
    if (decision !== "BLOCKED" && decision !== "ERROR") return;
    this.line(
      this.#style("yellow", `[PLAN] ${decision} plan=${planId} symbol=${symbol} reason=${reason} `.trimEnd()),
    );
    this.#explain(reason);
  }

  result({ planId, symbol, outcome, reason, details }: ResultRecord): void {
    if (outcome === "EXECUTED") this.line(`${symbol}: ${details}`);
    if (outcome === "REJECTED" || outcome === "NOT_PLACED") {
      this.line(this.#style("yellow", `${symbol}: Plan ${planId} ended ${outcome}, reason ${reason}`));
    }
  }

  #explain(reason: string): void {
    if (this.#bounded && this.#explained.has(reason)) return;
    this.#explained.add(reason);
    this.line(this.#style("dim", `    ${explain(reason)}`));
  }

  #style(style: "red" | "yellow" | "green" | "dim", text: string): string {
    return styleText(style, text, { stream: this.#output });
  }
}
