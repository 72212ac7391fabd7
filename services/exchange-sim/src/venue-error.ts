/** An error answer as Binance documents it: HTTP status, code and message. */
export class VenueError extends Error {
  readonly code: number;
  readonly status: number;
  readonly retryAfterSec: number | undefined;

  constructor(code: number, message: string, status = 400, retryAfterSec?: number) {
    super(message);
    this.code = code;
    this.status = status;
    this.retryAfterSec = retryAfterSec;
  }
}

export function missing(parameter: string): VenueError {
  return new VenueError(
    -1102,
    `Mandatory parameter '${parameter}' was not sent, was empty/null, or malformed.`,
  );
}

export function invalid(parameter: string): VenueError {
  return new VenueError(-1130, `Data sent for parameter '${parameter}' is not valid.`);
}

/** The texts of refusals that testers order, too. */
const TEXTS: ReadonlyMap<number, string> = new Map([
  [-2011, "Unknown order sent."],
  [-2013, "Order does not exist."],
  [-2022, "ReduceOnly Order is rejected."],
  [-4118, "ReduceOnly Order Failed. Please check your existing position and open orders."],
  [-4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit."],
]);

export function refusal(code: number): VenueError {
  return new VenueError(code, TEXTS.get(code) ?? "Error on command.");
}

export const unknownSymbol = () => new VenueError(-1121, "Invalid symbol.");
