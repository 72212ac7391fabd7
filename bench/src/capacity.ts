/** How large a deployment has to be, from what a plan cost in the bench: the table of docs/capacity.md. */
import { KEPT } from "./footprint.ts";
import { type Result, type Results, spreadOf } from "./results.ts";

/** Executed plans a second. */
const RATES = [0.1, 1, 10, 100, 1_000];
/** Of a core: above it, waits grow. */
const BUSY_MAX = 0.7;
const US_PER_SEC = 1e6;
const SEC_PER_HOUR = 3_600;
const SEC_PER_DAY = 86_400;
const BYTES_PER_GB = 1e9;

const COST = { case: "cost of a plan", load: "to the settled order", system: "pipeline" };
const REDIS = "cpu redis, µs";
const DISK = "append-only file, bytes";
const SERVICES = ["apply-layer", "governor", "position-brain", "executor"];

/** What one executed plan costs. */
export interface Cost {
  redisUs: number;
  /** All services together. */
  servicesUs: number;
  /** Written to the append-only file. */
  diskBytes: number;
  /** What it leaves in Redis times how long that lives: with a plan a second, so much memory is in use. */
  keptByteSec: number;
}

/** Undefined if the run did not measure all of it. */
export function costOf(results: Results): Cost | undefined {
  const result = results.all.find(
    ({ case: name, load, system }) => name === COST.case && load === COST.load && system === COST.system,
  );
  if (result === undefined) return undefined;
  const cost: Cost = {
    redisUs: median(result, REDIS),
    servicesUs: SERVICES.reduce((sum, name) => sum + median(result, `cpu ${name}, µs`), 0),
    diskBytes: median(result, DISK),
    keptByteSec: keptByteSec(result),
  };
  return Object.values(cost).every((value) => value > 0) ? cost : undefined;
}

function keptByteSec(result: Result): number {
  const names = new Set(result.runs.flatMap((run) => Object.keys(run)));
  let sum = 0;
  for (const name of names) {
    const kind = /^(kept .*), bytes$/.exec(name)?.[1];
    if (kind?.startsWith(KEPT) === true)
      sum += median(result, name) * median(result, `${kind}, h`) * SEC_PER_HOUR;
  }
  return sum;
}

function median(result: Result, figure: string): number {
  return spreadOf(result, figure)?.median ?? Number.NaN;
}

export interface Need {
  plansPerSec: number;
  /** Cores that Redis uses. */
  redisCores: number;
  /** Of a cluster, or 1. */
  masters: number;
  serviceCores: number;
  memoryGb: number;
  diskGbPerDay: number;
}

export function needOf(
  { redisUs, servicesUs, diskBytes, keptByteSec: kept }: Cost,
  plansPerSec: number,
): Need {
  const redisCores = (plansPerSec * redisUs) / US_PER_SEC;
  return {
    plansPerSec,
    redisCores,
    masters: Math.max(1, Math.ceil(redisCores / BUSY_MAX)),
    serviceCores: (plansPerSec * servicesUs) / US_PER_SEC,
    memoryGb: (plansPerSec * kept) / BYTES_PER_GB,
    diskGbPerDay: (plansPerSec * diskBytes * SEC_PER_DAY) / BYTES_PER_GB,
  };
}

/** @param measuredPerSec the highest rate of the run: what is above it is extrapolated */
export function renderCapacity(cost: Cost, measuredPerSec: number): string {
  const rows = RATES.map((rate) => {
    const need = needOf(cost, rate);
    const cells = [need.redisCores, need.masters, need.serviceCores, need.memoryGb, need.diskGbPerDay].map(
      (value) => String(Number(value.toPrecision(2))),
    );
    return `| ${[rate.toLocaleString("en"), ...cells, rate <= measuredPerSec ? "measured" : "extrapolated"].join(" | ")} |`;
  });
  const figure = (value: number) => Math.round(value).toLocaleString("en");
  return [
    `One executed plan: ${figure(cost.redisUs)} µs of Redis, ${figure(cost.servicesUs)} µs of the services, ${figure(cost.diskBytes)} bytes of`,
    `append-only file, ${figure(cost.keptByteSec / SEC_PER_HOUR / 1_000)} kB·h in memory. Highest rate measured: ${figure(measuredPerSec)} plans/s.`,
    "",
    "| executed plans/s | cores of Redis | masters | cores of the services | memory, GB | append-only file, GB a day | CPU |",
    "| ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ...rows,
  ].join("\n");
}
