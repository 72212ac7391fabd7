/** The halts of all partitions and of the wire's key, as one state and where it is. */
import {
  type KillSwitch,
  type KillSwitchSeen,
  readKillSwitch,
  readKillSwitchSeen,
} from "@quantum/service-kit";
import {
  everywhere,
  type HaltAccess,
  killSwitchPlaces,
  missingText,
  namesOf,
  type Reached,
  WIRE_NAME,
} from "./everywhere.ts";
import { type Disarm, type Halts, type KillRecord, readHalts, readKillRecord } from "./halts.ts";
import type { NamedPlace } from "./place.ts";

export interface PlacedHalts {
  readonly place: NamedPlace;
  readonly halts: Halts;
}

export interface AllHalts {
  /** On if one is, or counts as on. With one partition, its own. */
  readonly killSwitch: KillSwitch;
  /** The first that is in force. */
  readonly disarm: Disarm | null;
  /** Where the kill switch is on. */
  readonly on: readonly PlacedHalts[];
  /** The partitions that are disarmed. */
  readonly disarmed: readonly PlacedHalts[];
  /** Partitions in which the wire's kill switch counts as on, since no apply-layer has shown it for 5 s. */
  readonly unseen: readonly { readonly place: NamedPlace }[];
  /** What does not answer, and so may be halted or not. */
  readonly unread: Reached<unknown>["missing"];
  /** Who turned it on last, as far as the audit tells; null while it is on nowhere. */
  readonly record: KillRecord | null;
}

/** @throws what Redis answers where there are no several partitions, or if none answers */
export async function readAllHalts(access: HaltAccess): Promise<AllHalts> {
  const { done, missing } = await everywhere(killSwitchPlaces(access), (place) =>
    place.name === WIRE_NAME ? readWire(place) : readPartition(place),
  );
  const [first] = done;
  if (first === undefined) throw missing[0]?.error ?? new Error("there are no partitions");
  const all = done.map(({ place, result }) => ({ place, ...result }));
  const on = all.filter(({ halts }) => halts.killSwitch.on);
  const disarmed = all.filter(({ halts }) => halts.disarm !== null);
  const unseen = all.filter(({ seen }) => seen === "unread");
  const { killSwitch } = on[0]?.halts ?? first.result.halts;
  return {
    killSwitch: { ...killSwitch, on: on.length + unseen.length > 0 },
    disarm: disarmed[0]?.halts.disarm ?? null,
    on,
    disarmed,
    unseen,
    unread: missing,
    record: latest(all.map(({ record }) => record)),
  };
}

interface Read {
  halts: Halts;
  seen: KillSwitchSeen;
  record: KillRecord | null;
}

async function readPartition(place: NamedPlace): Promise<Read> {
  const [halts, seen] = await Promise.all([readHalts(place), readKillSwitchSeen(place.redis, place.keys)]);
  return { halts, seen, record: halts.killSwitch.on ? await readKillRecord(place) : null };
}

/** Nothing but the kill switch: disarms and the audit are the partitions'. */
async function readWire({ redis, keys }: NamedPlace): Promise<Read> {
  const killSwitch = await readKillSwitch(redis, keys);
  return {
    halts: { killSwitch, disarm: null, shown: { disarm: "", today: "" } },
    seen: "running",
    record: null,
  };
}

function latest(records: readonly (KillRecord | null)[]): KillRecord | null {
  const known = records.filter((record) => record !== null);
  return known.toSorted((a, b) => (b.atMs ?? 0) - (a.atMs ?? 0))[0] ?? null;
}

/** Where it is so, and what is not known; empty with one partition. */
export function whereText({ on, unseen, unread }: AllHalts): string {
  if (on[0]?.place.name === "") return "";
  return [
    ...(on.length === 0 ? [] : [`is on in ${namesOf(on)}`]),
    ...(unseen.length === 0
      ? []
      : [`counts as on in ${namesOf(unseen)}, which no apply-layer has shown the wire's key for 5 s`]),
    ...(unread.length === 0 ? [] : [`is not known of ${missingText(unread)}`]),
  ].join("; ");
}
