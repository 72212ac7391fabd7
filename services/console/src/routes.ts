/** What the page reads: `GET /api/*`, and the event stream. */
import {
  checkDeployment,
  type OpenAccess,
  pageAudit,
  pageDeadLetters,
  PartitionsError,
  searchPlans,
  type SymbolState,
  viewPlan,
  viewSymbol,
} from "@quantum/operator";
import { isUnanswered } from "@quantum/redis";
import { sharedAnswer } from "@quantum/service-kit";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import type { AuditList, Checks, Commands, DeadLetterList, PlanList, PlanView, SymbolView } from "./api.ts";
import type { EventStreams } from "./event-streams.ts";
import { inputOf } from "./input.ts";
import { type Present, problemText } from "./present.ts";
import { Refusal } from "./refusal.ts";
import { turns } from "./turns.ts";
import type { Visitors } from "./visitors.ts";

export interface RouteOptions {
  access: OpenAccess;
  present: Present;
  streams: EventStreams;
  visitors: Visitors;
  /** Where services are that cannot be found by their names. */
  serviceUrls: readonly string[];
  /** Whether a trace id leads somewhere: the console is configured as the services are. */
  isTraced: boolean;
}

/** A search reads for a second: many at once would keep Redis from the pipeline. */
const READS = { atOnceMax: 4, waitingMax: 100 };
/** The checks read whole streams. */
const CHECKS_PAUSE_MS = 5_000;
/** It compares with the apply-layer's variables, which the console does not have: `permitctl verify --env-file` does. */
const NOT_CHECKED_HERE = "configuration";

/** The page knows it, too. */
export const TEXT_MAX_CHARS = 200;
const text = z.string().max(TEXT_MAX_CHARS);
const timeMs = z.literal("").or(z.coerce.number().int().min(0));
const planQuery = z
  .strictObject({
    symbol: text,
    outcome: text,
    reason: text,
    issuer: text,
    fromMs: timeMs,
    toMs: timeMs,
    cursor: text,
  })
  .partial();
const deadLetterQuery = z.strictObject({ stream: text, group: text, reason: text, cursor: text }).partial();
const auditQuery = z.strictObject({ cursor: text }).partial();
const planParams = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{16}$/, "a plan id has 16 lower-case hex digits"),
});
const symbolParams = z.strictObject({ symbol: text });

const COMMANDS: Commands = {
  flattenAll: "permitctl flatten --all",
  flatten: "permitctl flatten SYMBOL",
  close: "permitctl close SYMBOL --pct 50",
};

export function addRoutes(http: FastifyInstance, options: RouteOptions): void {
  const { access, present, streams, visitors, serviceUrls, isTraced } = options;
  const config = { needs: "viewer" } as const;
  const inTurn = turns(READS, "too many read at this moment");
  const read = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await inTurn(work);
    } catch (error) {
      if (error instanceof Refusal) throw error;
      // A cursor that was made up.
      if (error instanceof RangeError) throw new Refusal(400, undefined, error.message);
      if (!isOfRedis(error, access)) throw error;
      throw new Refusal(
        503,
        undefined,
        `Redis does not answer this: ${await problemText(error, access)}; try again`,
      );
    }
  };
  const checks = sharedAnswer(() => checkDeployment(access, {}, { urls: serviceUrls }), CHECKS_PAUSE_MS);

  http.get("/api/now", { config }, () => present.read());
  http.get("/api/plans", { config }, ({ query }): Promise<PlanList> =>
    read(() => searchPlans(access, given(inputOf(planQuery, query)))),
  );
  http.get("/api/plans/:id", { config }, async ({ params }): Promise<PlanView> => {
    const { id } = inputOf(planParams, params);
    const view = found(
      await read(() => viewPlan(access, id)),
      `nothing is known of plan ${id}: it was never published, or Redis no longer has it`,
    );
    return isTraced ? view : { ...view, traceId: "" };
  });
  http.get("/api/dead-letters", { config }, ({ query }): Promise<DeadLetterList> =>
    read(() => pageDeadLetters(access, given(inputOf(deadLetterQuery, query)))),
  );
  http.get("/api/symbols", { config }, async (): Promise<{ symbols: readonly SymbolState[] }> => {
    const { symbols } = await present.read();
    return { symbols };
  });
  http.get("/api/symbols/:symbol", { config }, async ({ params }): Promise<SymbolView> => {
    const { symbol } = inputOf(symbolParams, params);
    return found(await read(() => viewSymbol(access, symbol)), `nothing is known of a symbol ${symbol}`);
  });
  http.get("/api/audit", { config }, ({ query }): Promise<AuditList> =>
    read(() => pageAudit(access, given(inputOf(auditQuery, query)))),
  );
  http.get("/api/verify", { config }, async (): Promise<Checks> => {
    const all = await read(checks);
    return { checks: all.filter(({ check }) => check !== NOT_CHECKED_HERE) };
  });
  http.get("/api/commands", { config }, async () => COMMANDS);

  // A HEAD request would have no end.
  http.get("/api/events", { config, exposeHeadRoute: false }, async (request, reply) => {
    const { visitor, headers, cookies } = request;
    const { socket } = request.raw;
    reply.hijack();
    reply.raw.writeHead(200, {
      ...(reply.getHeaders() as Record<string, string>),
      "content-type": "text/event-stream; charset=utf-8",
      // A proxy that keeps back what comes would keep back everything.
      "x-accel-buffering": "no",
    });
    streams.add({
      response: reply.raw,
      visitor: visitor.user ?? "",
      isWelcome: () => {
        const now = visitors.orNobody({ headers, socket, cookies });
        return now !== undefined && now.user === visitor.user && now.role !== undefined;
      },
    });
  });
}

function found<T>(value: T | undefined, otherwise: string): T {
  if (value === undefined) throw new Refusal(404, undefined, otherwise);
  return value;
}

/** Without fields that are not set or empty: a form sends those, too. */
function given<T extends object>(query: T): { [Key in keyof T]?: Exclude<T[Key], "" | undefined> } {
  return Object.fromEntries(
    Object.entries(query).filter(([, value]) => value !== undefined && value !== ""),
  ) as { [Key in keyof T]?: Exclude<T[Key], "" | undefined> };
}

function isOfRedis(error: unknown, { brokenBy }: OpenAccess): boolean {
  const isReply = error instanceof Error && error.name === "ReplyError";
  return isReply || error instanceof PartitionsError || isUnanswered(error) || brokenBy() !== undefined;
}
