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

export const unknownSymbol = () => new VenueError(-1121, "Invalid symbol.");
