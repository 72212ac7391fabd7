/** Why a request is not carried out. */

/** What the guards refuse for, as metrics and logs name it. */
export const GUARDS = [
  "host",
  "origin",
  "fetch_site",
  "csrf",
  "proxy_header",
  "login",
  "role",
  "rate",
] as const;

export type Guard = (typeof GUARDS)[number];

/** Its message is shown to people: what happened, what it means, what to do. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;
  readonly guard: Guard | undefined;
  readonly retryAfterSec: number | undefined;

  constructor(status: number, guard: Guard | undefined, message: string, retryAfterSec?: number) {
    super(message);
    this.status = status;
    this.guard = guard;
    this.retryAfterSec = retryAfterSec;
  }
}
