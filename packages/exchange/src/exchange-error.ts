export interface ExchangeErrorDetails {
  code?: number;
  httpStatus?: number;
  retryAfterMs?: number;
  said?: string;
  notSent?: boolean;
}

/** A read without a usable answer. Contains nothing from the request, so no key or signature can leak. */
export class ExchangeError extends Error {
  override readonly name = "ExchangeError";
  /** The venue's error code, if the body has one. */
  readonly code: number | undefined;
  /** Missing if there was no answer. */
  readonly httpStatus: number | undefined;
  readonly retryAfterMs: number | undefined;
  /** The venue's message, "" if there is none. */
  readonly said: string;
  /** No connection was made, so the venue never saw the request. */
  readonly notSent: boolean;

  constructor(message: string, details: ExchangeErrorDetails = {}) {
    super(message);
    this.code = details.code;
    this.httpStatus = details.httpStatus;
    this.retryAfterMs = details.retryAfterMs;
    this.said = details.said ?? "";
    this.notSent = details.notSent ?? false;
  }
}
