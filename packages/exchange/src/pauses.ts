/** The venue's pauses, as this process knows them: by the monotonic clock, with their reasons. */

export const PAUSE_SCOPES = ["requests", "orders"] as const;
/** `requests`: no request is sent; `orders`: no order is sent, other requests are. */
export type PauseScope = (typeof PAUSE_SCOPES)[number];

export interface Pause {
  /** Above 0. */
  readonly leftMs: number;
  /** The venue's message. */
  readonly reason: string;
}

export class Pauses {
  readonly #pauses = new Map<PauseScope, { endMs: number; reason: string }>();
  /** Called for each pause that the venue asks for. */
  onAsked: ((scope: PauseScope, pause: Pause) => void) | undefined;

  /** The venue asks for a pause. The longest counts. */
  ask(scope: PauseScope, pause: Pause): void {
    if (pause.leftMs >= (this.get(scope)?.leftMs ?? 0)) this.set(scope, pause);
    this.onAsked?.(scope, pause);
  }

  /** Sets a pause that other services know of; undefined: it is over. */
  set(scope: PauseScope, pause: Pause | undefined): void {
    if (pause === undefined) this.#pauses.delete(scope);
    else this.#pauses.set(scope, { endMs: performance.now() + pause.leftMs, reason: pause.reason });
  }

  get(scope: PauseScope): Pause | undefined {
    const pause = this.#pauses.get(scope);
    const leftMs = Math.ceil((pause?.endMs ?? 0) - performance.now());
    return pause === undefined || leftMs <= 0 ? undefined : { leftMs, reason: pause.reason };
  }

  /** The longest pause that applies. Orders are requests too. */
  keeping(scope: PauseScope): Pause | undefined {
    const pauses = [this.get("requests"), scope === "orders" ? this.get("orders") : undefined];
    return pauses.filter((pause) => pause !== undefined).toSorted((a, b) => b.leftMs - a.leftMs)[0];
  }
}
