/** Where ioredis gets its streams from: each leads to the server that is master when it is opened. */
import { createConnection, Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { AbstractConnector, type RedisOptions } from "ioredis";
import type { Follower, MasterFinder } from "./master-finder.ts";
import { type Claim, hasAllSlots } from "./masters.ts";
import { type Address, writeAddress } from "./url.ts";

type Tell = Parameters<AbstractConnector["connect"]>[0];
const CLOSED = new Error("Connection is closed.");

/** For the option `Connector` of ioredis. @param slot of a cluster; any for Sentinels */
export function connectorTo(finder: MasterFinder, slot: number): new (options: unknown) => AbstractConnector {
  return class extends MasterConnector {
    constructor(options: unknown) {
      super(finder, slot, options as RedisOptions);
    }
  };
}

class MasterConnector extends AbstractConnector implements Follower {
  readonly slot: number;
  claim: Claim | undefined;
  readonly #finder: MasterFinder;
  readonly #options: RedisOptions;
  #attempt = Promise.withResolvers<never>();
  #tell: Tell = () => undefined;

  constructor(finder: MasterFinder, slot: number, options: RedisOptions) {
    super(options.disconnectTimeout ?? 0);
    this.#finder = finder;
    this.slot = slot;
    this.#options = options;
  }

  /**
   * Never rejects: ioredis would end the client for good. It treats a stream that is destroyed like a server that is not
   * there, and tries again.
   */
  override async connect(tell: Tell): Promise<Socket> {
    this.#tell = tell;
    this.connecting = true;
    this.claim = undefined;
    delete this.firstError;
    this.#attempt = Promise.withResolvers<never>();
    this.#finder.add(this);
    const stream = await this.#open().catch((error: Error) => {
      if (error !== CLOSED) this.firstError = error;
      return new Socket().destroy();
    });
    this.stream = stream;
    if (stream.destroyed) this.#finder.remove(this);
    stream.once("error", (error) => (this.firstError = error));
    stream.once("close", () => {
      if (this.stream === stream) this.#finder.remove(this);
    });
    return stream;
  }

  async #open(): Promise<Socket> {
    const claim = await Promise.race([this.#finder.find(this.slot), this.#attempt.promise]);
    this.claim = claim;
    return this.#connectTo(claim.address);
  }

  #connectTo({ host, port }: Address): Socket {
    const { family, tls } = this.#options;
    const to = { host, port, ...(family !== undefined && { family }) };
    return tls === undefined ? createConnection(to) : connectTls({ ...to, ...tls });
  }

  override disconnect(): void {
    this.connecting = false;
    this.#attempt.promise.catch(() => undefined);
    this.#attempt.reject(CLOSED);
    // Between two streams there is only the last one, which has ended.
    if ((this.stream as Socket | undefined)?.destroyed === false) super.disconnect();
  }

  /** @param info of the server, as far as it was read */
  override check(info: { role?: string }): boolean {
    if (info.role === undefined || info.role === "master") return true;
    this.#tell("error", new Error(`${this.#place()} is no master: its role is ${info.role}`));
    return false;
  }

  moveTo(claim: Claim): void {
    const what = hasAllSlots(claim) ? "the master" : `the master of slot ${this.slot}`;
    this.stream.destroy(
      new Error(`${this.#place()} is no longer ${what}: ${writeAddress(claim.address)} is`),
    );
  }

  #place(): string {
    return this.claim === undefined ? "Redis" : writeAddress(this.claim.address);
  }
}
