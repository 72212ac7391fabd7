/** The listen key that this process uses, kept alive for as long as it does. */

/**
 * The key to the account's user data stream. Whoever has it can read the stream, so it is a secret. The account has one
 * at a time, which all its processes share; nobody deletes it, because that would cut the others off.
 */
export interface ListenKeys {
  /** The active key, made if there is none. Valid for {@link LISTEN_KEY_VALID_MS} from now. */
  listenKey(): Promise<string>;
  /** Makes the active key valid for as long again. False if `key` is not the active one any more. */
  extendListenKey(key: string): Promise<boolean>;
}

export const LISTEN_KEY_VALID_MS = 60 * 60_000;

/** A key that is about to expire is not connected to: the venue accepts the connection, and sends nothing. */
const VALID_MARGIN_MS = 60_000;
/** While every connection is refused, the venue is asked for its key only this often: each request uses its limits. */
const REFUSED_ASK_EVERY_MS = 30_000;

export class ListenKey {
  readonly #venue: ListenKeys;
  readonly #timing: { extendKeyEveryMs: number; extendKeyAgainMs: number };
  readonly #onGone: () => void;
  #key: string | undefined;
  /** When the venue was last asked successfully: the key is valid for an hour from then. */
  #confirmedAtMs = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  /** @param onGone called when the venue says that the key is not the active one any more */
  constructor(
    venue: ListenKeys,
    timing: { extendKeyEveryMs: number; extendKeyAgainMs: number },
    onGone: () => void,
  ) {
    this.#venue = venue;
    this.#timing = timing;
    this.#onGone = onGone;
  }

  /**
   * The active key. If the venue cannot be asked, for example during a pause, the one that was active when it last
   * could, while that is certainly valid.
   *
   * @param wasRefused the last connection was not opened, so it has not shown that its key is active no more
   * @throws if there is no such key
   */
  async get(wasRefused = false): Promise<string> {
    const askedAtMs = performance.now();
    const isRecent = askedAtMs - this.#confirmedAtMs < REFUSED_ASK_EVERY_MS;
    if (this.#key !== undefined && wasRefused && isRecent) return this.#key;
    try {
      this.#key = await this.#venue.listenKey();
      this.#confirmedAtMs = askedAtMs;
      this.#extendIn(this.#timing.extendKeyEveryMs);
    } catch (error) {
      const isValid = performance.now() - this.#confirmedAtMs < LISTEN_KEY_VALID_MS - VALID_MARGIN_MS;
      if (this.#key === undefined || !isValid) throw error;
      this.#extendIn(this.#timing.extendKeyAgainMs);
    }
    return this.#key;
  }

  /** The key has expired: `get` must ask for another. */
  forget(): void {
    this.#key = undefined;
    clearTimeout(this.#timer);
  }

  stop(): void {
    this.#stopped = true;
    this.forget();
  }

  #extendIn(ms: number): void {
    clearTimeout(this.#timer);
    if (!this.#stopped) this.#timer = setTimeout(() => void this.#extend(), ms).unref();
  }

  async #extend(): Promise<void> {
    const key = this.#key;
    if (key === undefined) return;
    const askedAtMs = performance.now();
    try {
      const isActive = await this.#venue.extendListenKey(key);
      // A reconnect has fetched the key in the meantime.
      if (this.#key !== key) return;
      if (isActive) {
        this.#confirmedAtMs = askedAtMs;
        this.#extendIn(this.#timing.extendKeyEveryMs);
      } else {
        this.forget();
        this.#onGone();
      }
    } catch {
      // The exchange's own problems say that it does not answer.
      if (this.#key === key) this.#extendIn(this.#timing.extendKeyAgainMs);
    }
  }
}
