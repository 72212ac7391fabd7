/** Which server is master, as Sentinels and the nodes of a cluster say it. No I/O. */
import type { Address } from "./url.ts";

/** One server is master of these slots; both ends belong to the range. */
export interface Claim {
  readonly from: number;
  readonly to: number;
  readonly address: Address;
  /** Grows with each failover, and with each slot that moves. The newest claim on a slot is right. */
  readonly epoch: number;
}

const LAST_SLOT = 16_383;

/** Of a master behind Sentinels, and of a cluster that has only one. */
export function hasAllSlots({ from, to }: Claim): boolean {
  return from === 0 && to === LAST_SLOT;
}

/** The newest claim on the slot; of equally new ones the first. */
export function masterOf(claims: readonly Claim[], slot: number): Claim | undefined {
  let newest: Claim | undefined;
  for (const claim of claims) {
    if (slot < claim.from || claim.to < slot) continue;
    if (newest === undefined || claim.epoch > newest.epoch) newest = claim;
  }
  return newest;
}

/**
 * A Sentinel's master has all slots.
 * @param master the reply to SENTINEL MASTER, asked before `address`: in a failover the address is the first to change
 * @param address the reply to SENTINEL GET-MASTER-ADDR-BY-NAME
 */
export function claimOfSentinel(master: readonly string[], [host, port]: readonly string[]): Claim {
  const epoch = Number(master[master.indexOf("config-epoch") + 1]);
  return { from: 0, to: LAST_SLOT, address: { host: host ?? "", port: Number(port) }, epoch };
}

/** An entry of CLUSTER SLOTS: the ends of the range, its master, and its replicas. */
export type SlotRange = readonly [from: number, to: number, master: SlotNode, ...replicas: SlotNode[]];
export type SlotNode = readonly [host: string | null, port: number, id: string, ...more: unknown[]];

/**
 * CLUSTER SLOTS knows the address for clients, CLUSTER NODES the epoch.
 * @param asked of the node: one that does not know its own host gives none
 * @param nodes the reply to CLUSTER NODES: `id address flags master ping pong epoch link slots…`, a line for each node
 */
export function claimsOfNode(slots: readonly SlotRange[], nodes: string, asked: Address): Claim[] {
  const epochs = new Map(
    nodes.split("\n").map((line) => {
      const [id = "", , , , , , epoch] = line.split(" ");
      return [id, Number(epoch)];
    }),
  );
  return slots.map(([from, to, [host, port, id]]) => ({
    from,
    to,
    address: { host: host === null || host === "" ? asked.host : host, port },
    epoch: epochs.get(id) ?? 0,
  }));
}

export function isSame(a: Address, b: Address): boolean {
  return a.host === b.host && a.port === b.port;
}

/** Nobody who was asked says where the master is. */
export class NoMasterError extends Error {
  override readonly name = "NoMasterError";
  /** Why, of each. Empty: they answer, and the slot has no master. */
  readonly causes: readonly Error[];

  constructor(message: string, causes: readonly Error[]) {
    super(message);
    this.causes = causes;
  }
}
