import { z } from "zod";
import { STREAM_EVENT_TYPES, type StreamEvent } from "./stream-events.ts";

const DELIVERY_KINDS = [
  /** Is never sent. */
  "drop",
  /** Is sent now, and again after `ms`. */
  "double",
  /** Is sent after the socket's next event, or after `ms` if there is none before. */
  "reorder",
  /** Is sent after `ms`; later events overtake it. */
  "late",
] as const;

const spanMs = z.int().min(0);

/** Meets single events, each at one socket. */
const deliverySchema = z.strictObject({
  kind: z.enum(DELIVERY_KINDS),
  /** How many events it meets. The same event at two sockets counts twice. */
  count: z.int().min(1).default(1),
  ms: spanMs.default(100),
  /** How likely it meets an event that it could meet. Drawn from the venue's seed. */
  chance: z.number().gt(0).max(1).default(1),
  /** Any if absent. */
  event: z.enum(STREAM_EVENT_TYPES).optional(),
  symbol: z.string().optional(),
});

/**
 * Meets all sockets at once. `silent`: they stay open, but are sent nothing, and their pings are not answered.
 * `disconnect`: they are cut off. A socket that opens within `ms` is met too: silent, or refused with 503.
 */
const outageSchema = z.strictObject({
  kind: z.enum(["silent", "disconnect"]),
  ms: spanMs.default(0),
});

/** The key ends as if nobody had extended it. Binance documents no disconnection: `closes: false` keeps the sockets. */
const expirySchema = z.strictObject({ kind: z.literal("expire_key"), closes: z.boolean().default(true) });

/** A tester's fault of the user data stream. */
export const streamFaultSchema = z.discriminatedUnion("kind", [deliverySchema, outageSchema, expirySchema]);
export type StreamFault = z.infer<typeof streamFaultSchema>;
export type DeliveryFault = z.infer<typeof deliverySchema>;

/** A delivery meets the first fault that matches and whose chance it draws. */
export class DeliveryFaults {
  readonly #random: () => number;
  #pending: { fault: DeliveryFault; left: number }[] = [];

  constructor(random: () => number) {
    this.#random = random;
  }

  add(fault: DeliveryFault): void {
    this.#pending.push({ fault, left: fault.count });
  }

  clear(): void {
    this.#pending = [];
  }

  /** Faults with events left to meet. */
  pending(): DeliveryFault[] {
    return this.#pending.map(({ fault, left }) => ({ ...fault, count: left }));
  }

  take({ type, symbol }: StreamEvent): DeliveryFault | undefined {
    const entry = this.#pending.find(
      ({ fault }) =>
        (fault.event === undefined || fault.event === type) &&
        (fault.symbol === undefined || fault.symbol === symbol) &&
        this.#random() < fault.chance,
    );
    if (!entry) return undefined;
    entry.left -= 1;
    if (entry.left === 0) this.#pending = this.#pending.filter((other) => other !== entry);
    return entry.fault;
  }
}
