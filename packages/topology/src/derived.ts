/** What follows from the table. */
import type { IssuerRow, Row, StreamName } from "./row.ts";
import { type HostedName, type IssuerName, type PipelineName, type Service, SERVICES } from "./services.ts";

/** What hosts may run: every service that stands in for nothing. */
export const HOSTED = SERVICES.filter(({ standIn }) => standIn === undefined) as readonly (Service & {
  name: HostedName;
})[];

/** What is on a plan's path, issuers that no plan needs by default included. */
export const PLAN_PATH = HOSTED.filter(({ watches }) => watches !== true) as readonly (Service & {
  name: PipelineName;
})[];

const ISSUER_ROWS = issuersOf(SERVICES);

/** The issuers that a plan needs: the default of `APPLY_REQUIRED_PERMITS`. */
export const ISSUERS = ISSUER_ROWS.filter(({ required }) => required).map(
  ({ name }) => name,
) as readonly IssuerName[];

/** The services of a pipeline whose plans need the permits of these issuers. */
export function pipelineOf(issuers: readonly string[]): typeof PLAN_PATH {
  return PLAN_PATH.filter(({ issuer }) => issuer === undefined || issuers.includes(issuer.name));
}

/** The services of a pipeline by default. */
export const PIPELINE = pipelineOf(ISSUERS);

/** The issuer whose permit carries side and quantity; without it there is no order to place. */
export const QUANTITY_ISSUER = onlyOne(ISSUER_ROWS.filter(({ carriesQuantity }) => carriesQuantity)).name;

export interface Group {
  readonly service: string;
  readonly stream: StreamName;
  readonly group: string;
}

/** Every consumer group of a pipeline by default, in the order in which a plan passes them. */
export const GROUPS: readonly Group[] = groupsOf(PIPELINE);

export function groupsOf(rows: readonly Row[]): Group[] {
  const order: readonly StreamName[] = ["proposal", "plan", "permit", "execute", "result", "operatorAudit"];
  return order.flatMap((stream) =>
    rows.flatMap(({ name, group, reads }) =>
      group !== undefined && reads.includes(stream) ? [{ service: name, stream, group }] : [],
    ),
  );
}

/** The Redis user under which a service works. */
export function userOf({ user, issuer, name }: Row): string {
  return user ?? issuer?.name ?? name;
}

/** The row of an issuer. One that is not ours (`APPLY_REQUIRED_PERMITS` may name any) is taken for what a new one is. */
export function issuerOf(name: string): IssuerRow {
  return ISSUER_ROWS.find((row) => row.name === name) ?? newIssuer(name);
}

function newIssuer(name: string): IssuerRow {
  return {
    name,
    verdictField: "allow",
    permitKey: `permit:${name}`,
    ttlLabel: `${name}_ttl`,
    carriesQuantity: false,
    required: false,
  };
}

function issuersOf(rows: readonly Row[]): IssuerRow[] {
  return rows.flatMap(({ issuer }) => (issuer === undefined ? [] : [issuer]));
}

function onlyOne(rows: readonly IssuerRow[]): IssuerRow {
  const [row, another] = rows;
  if (row === undefined || another !== undefined)
    throw new Error(`one issuer carries the quantity, not ${rows.length}`);
  return row;
}
