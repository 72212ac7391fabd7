/**
 * An operator's command to P3.3: accept the exchange's position of a held symbol. The audit entry is the command.
 *
 * It takes effect once. The command names the mismatch that the operator saw, and afterwards there is none, or another
 * one. So a redelivered command, or one that another replica has executed, changes nothing.
 */
import { EventEmitter } from "node:events";
import { type AuditEntry, auditEntry, describeIssues, HOLD_ACCEPT } from "@quantum/contract";
import { ACK, type Disposition, type Entry } from "@quantum/streams";
import type { PairStore } from "./pair-store.ts";
import type { PairRefresh } from "./refresh.ts";

export interface OperatorEvents {
  /** Any change by an operator, so that the stream is not its only record. */
  seen: [AuditEntry & { id: string }];
  accepted: [AuditEntry];
  /** The command was not executed, and why. */
  ignored: [{ command: AuditEntry; why: "too old" | "not for the present mismatch" }];
}

interface Options {
  pairs: PairStore;
  refresh: PairRefresh;
}

export class OperatorCommands extends EventEmitter<OperatorEvents> {
  readonly #options: Options;

  constructor(options: Options) {
    super();
    this.#options = options;
  }

  readonly handle = async (entry: Entry): Promise<Disposition> => {
    const parsed = auditEntry.safeParse(entry.fields);
    if (!parsed.success) return { kind: "dead", reason: describeIssues(parsed.error) };
    const command = parsed.data;
    this.emit("seen", { id: entry.id, ...command });
    if (command.action !== HOLD_ACCEPT.action) return ACK;
    const ignore = (why: OperatorEvents["ignored"][0]["why"]) => {
      this.emit("ignored", { command, why });
      return ACK;
    };
    const { pairs, refresh } = this.#options;
    // A command from the future may be of any age.
    if (Math.abs(pairs.now(command.target) - command.at_ms) > HOLD_ACCEPT.validMs) return ignore("too old");
    const { ledger } = await pairs.read(command.target);
    const since = ledger?.disagreesSinceMs;
    if (since === undefined || since !== command.detail["disagrees_since_ms"])
      return ignore("not for the present mismatch");
    if ((await refresh.accept(command.target)) !== "stored")
      return { kind: "retry", reason: "the position moves while it is read" };
    this.emit("accepted", command);
    return ACK;
  };
}
