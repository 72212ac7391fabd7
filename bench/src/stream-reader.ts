/** Reads a stream from its end, on its own connection. */
import { connectForBlocking, disconnect } from "@quantum/redis";

export type Fields = ReadonlyMap<string, string>;
export type RawFields = readonly string[];

const COUNT = 1000;
const BLOCK_MS = 1000;

export class StreamReader {
  readonly #connection;
  readonly #running: Promise<void>;
  #stopped = false;

  private constructor(
    url: string,
    stream: string,
    lastId: string,
    take: (id: string, fields: RawFields) => void,
  ) {
    this.#connection = connectForBlocking({
      url,
      slotOf: stream,
      name: `bench:${stream}`,
      onError: () => undefined,
    });
    this.#running = this.#read(stream, lastId, take);
  }

  /** Resolves once every later entry is sure to be read. */
  static async open(
    url: string,
    stream: string,
    take: (id: string, fields: RawFields) => void,
  ): Promise<StreamReader> {
    const connection = connectForBlocking({ url, slotOf: stream, name: "bench", onError: () => undefined });
    const [last] = await connection.xrevrange(stream, "+", "-", "COUNT", 1);
    await disconnect(connection);
    return new StreamReader(url, stream, last?.[0] ?? "0-0", take);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await disconnect(this.#connection);
    await this.#running;
  }

  async #read(stream: string, lastId: string, take: (id: string, fields: RawFields) => void): Promise<void> {
    let cursor = lastId;
    while (!this.#stopped) {
      const reply = await this.#connection
        .xread("COUNT", COUNT, "BLOCK", BLOCK_MS, "STREAMS", stream, cursor)
        .catch((error: unknown) => {
          if (this.#stopped) return null;
          throw error;
        });
      for (const [id, fields] of reply?.[0]?.[1] ?? []) {
        cursor = id;
        take(id, fields);
      }
    }
  }
}

export function field(fields: RawFields, name: string): string {
  // Only even positions hold names; a value may look like one.
  for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) return fields[i + 1] ?? "";
  return "";
}
