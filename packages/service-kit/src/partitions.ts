/**
 * Where a service finds what it keeps in Redis: the partitions of the symbols, each with keys and connections of its own
 * (docs/wire.md, "Partitions"; docs/adr/0039). The wire's layout is one partition, whose keys have no tag.
 */
import { createKeys, type Keys, partitionOf } from "@quantum/contract";
import type { Hashes, RedisClient } from "@quantum/redis";

/** Keys that lie in one slot, and the server that has the slot. */
export interface Place {
  readonly keys: Keys;
  /** For commands. Calls of one turn share an EVALSHA (docs/adr/0010), so no other place uses this connection. */
  readonly redis: RedisClient;
  readonly connectForBlocking: () => RedisClient;
}

/** Where publishers write, who know no partitions: the place of the proposals' stream, and the hashes of every symbol. */
export interface Intake extends Place {
  readonly hashes: Hashes;
}

export interface Partition extends Place {
  /** From 0. */
  readonly number: number;
  /** For people and metrics: `q3`, as in its keys. Empty in the wire's layout, which has one. */
  readonly name: string;
}

export class Partitions<Of extends Partition = Partition> {
  /** In the order of their numbers; at least one. */
  readonly all: readonly [Of, ...Of[]];

  constructor(all: readonly [Of, ...Of[]]) {
    this.all = all;
  }

  /** That of a symbol. */
  of(symbol: string): Of {
    return this.all[partitionOf(symbol, this.all.length)] ?? this.account;
  }

  /** Where what belongs to the exchange's account lies: budgets, pauses, the booker's lease. */
  get account(): Of {
    return this.all[0];
  }

  /** One thing for each, in their order. */
  map<T>(make: (partition: Of) => T): T[] {
    return this.all.map((partition) => make(partition));
  }

  /** The same partitions, each with what `make` adds to it. */
  with<More extends object>(make: (partition: Of) => More): Partitions<Of & More> {
    const extended = (partition: Of) => ({ ...partition, ...make(partition) });
    const [first, ...others] = this.all;
    return new Partitions([extended(first), ...others.map(extended)]);
  }
}

/**
 * @param connect makes a partition's connections; `key` is any of its keys, whose slot tells which server of a cluster they lead to
 */
export function openPartitions<Opened extends Omit<Place, "keys">>(
  count: number,
  connect: (key: string, partition: string) => Opened,
): Partitions<Partition & Opened> {
  const open = (number: number): Partition & Opened => {
    const keys = createKeys(count === 1 ? {} : { partition: number });
    const name = count === 1 ? "" : `q${number}`;
    return { number, name, keys, ...connect(keys.probe, name && `:${name}`) };
  };
  return new Partitions([open(0), ...Array.from({ length: count - 1 }, (_, index) => open(index + 1))]);
}
