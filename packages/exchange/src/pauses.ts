/** The pauses that the venue has asked for, as this process knows them: by the monotonic clock, with their reasons. */

export const PAUSE_SCOPES = ["requests", "orders"] as const;
/** `requests`: nothing at all is asked; `orders`: no order is sent, everything else goes on. */
export type PauseScope = (typeof PAUSE_SCOPES)[number];

export interface Pause {
  /** Above 0. */
  readonly leftMs: number;
  /** The venue's own words. */
  readonly reason: string;
}

export class Pauses {
  readonly #pauses = new Map<PauseScope, { endMs: number; reason: string }>();
  /** Told of each pause that the venue asks for. */
  onAsked: ((scope: PauseScope, pause: Pause) => void) | undefined;

  /** The venue asks for one; the longest counts. */
  ask(scope: PauseScope, pause: Pause): void {
    if (pause.leftMs >= (this.get(scope)?.leftMs ?? 0)) this.set(scope, pause);
    this.onAsked?.(scope, pause);
  }

  /** What the others know of it; undefined: it is over. */
  set(scope: PauseScope, pause: Pause | undefined): void {
    if (pause === undefined) this.#pauses.delete(scope);
    else this.#pauses.set(scope, { endMs: performance.now() + pause.leftMs, reason: pause.reason });
  }

  get(scope: PauseScope): Pause | undefined {
    const pause = this.#pauses.get(scope);
    const leftMs = Math.ceil((pause?.endMs ?? 0) - performance.now());
    return pause === undefined || leftMs <= 0 ? undefined : { leftMs, reason: pause.reason };
  }

  /** What keeps a request, or an order, from being sent: an order is a request, too. */
  keeping(scope: PauseScope): Pause | undefined {
    const pauses = [this.get("requests"), scope === "orders" ? this.get("orders") : undefined];
    return pauses.filter((pause) => pause !== undefined).toSorted((a, b) => b.leftMs - a.leftMs)[0];
  }
}
