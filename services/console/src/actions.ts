/** `POST /api/actions/<name>`: changes by an operator, under his name and the Redis user `operator`. */
import {
  AccessError,
  DEAD_LETTER_ID,
  type OpenAccess,
  operations,
  Refusal as OperationRefusal,
  withAccess,
} from "@quantum/operator";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import type { ActionName, Actions, Done } from "./api.ts";
import type { ActionOutcome, ConsoleEvents } from "./events.ts";
import { inputOf } from "./input.ts";
import { Refusal } from "./refusal.ts";

const REASON_MAX_CHARS = 500;
/** Of a list: more are a next step. */
const IDS_MAX = 1_000;

const text = z.string().trim().max(REASON_MAX_CHARS);
const reason = text.min(1, "a reason is required");
const symbol = z.string().min(1).max(64);
const ids = z.array(z.string().regex(DEAD_LETTER_ID)).min(1).max(IDS_MAX);

/** Of every action. */
const SHOWN_MAX_CHARS = 100;
const asked = z.looseObject({
  preview: z.boolean().default(false),
  shown: z.string().max(SHOWN_MAX_CHARS).optional(),
});

const SCHEMAS = {
  // Who has no time to say why says it later.
  "kill-on": z.strictObject({ reason: text.default("") }),
  "kill-off": z.strictObject({ reason }),
  "disarm-clear": z.strictObject({ reason }),
  "exchange-resume": z.strictObject({ reason }),
  "hold-accept": z.strictObject({ symbol, reason }),
  force: z.strictObject({ planId: z.string().regex(/^[0-9a-f]{16}$/), reason }),
  requeue: z.strictObject({ ids, reason }),
  drop: z.strictObject({ ids, reason }),
} as const satisfies { [Name in ActionName]: z.ZodType<Required<Actions[Name]>> };

/** It must come through, whatever Redis does not say, and whoever asks for it twice has what he wants. */
const HALT: ActionName = "kill-on";

export const ACTION_NAMES = Object.keys(SCHEMAS) as readonly ActionName[];

export interface ActionOptions {
  /** Undefined: the console changes nothing, and the guard lets nobody come so far. */
  redisUrl: string | undefined;
  instance: string;
  events: ConsoleEvents;
}

export function addActions(http: FastifyInstance, options: ActionOptions): void {
  for (const name of ACTION_NAMES) addAction(http, name, options);
}

function addAction(
  http: FastifyInstance,
  name: ActionName,
  { redisUrl, instance, events }: ActionOptions,
): void {
  const operation = operations[name] as Operation;
  /** Rights that are not needed are not held: the connection is for this step alone. */
  const asOperator = <T>(what: What, step: (access: OpenAccess) => Promise<T>) =>
    orRefused(
      what,
      withAccess(
        {
          url: redisUrl ?? "",
          name: `${instance}:operator`,
          ...(name === HALT ? { halting: true } : { resend: false }),
        },
        step,
      ),
    );

  http.post(
    `/api/actions/${name}`,
    { config: { needs: "operator" } },
    async ({ body, visitor }): Promise<Done> => {
      const { preview, shown, ...given } = inputOf(asked, body);
      if (preview) {
        // Whoever looks first has not said why yet.
        const { reason: _, ...args } = inputOf(SCHEMAS[name], { ...given, reason: "preview" });
        return await asOperator("preview", (access) => operation.preview(access, args));
      }
      const { reason, ...args } = inputOf(SCHEMAS[name], given);
      const who = `${visitor.user}@console`;
      const tell = (outcome: ActionOutcome, told: string) =>
        events.emit("action", { action: name, outcome, who, reason, told });
      try {
        const text = await asOperator("change", (access) =>
          operation.run(access, args, { who, reason }, shown),
        );
        tell("done", text);
        return { text };
      } catch (error) {
        tell(
          error instanceof Refusal && error.status === NO_LONGER_SO ? "refused" : "failed",
          (error as Error).message,
        );
        throw error;
      }
    },
  );
}

/** Of any action: each is called with what its own schema has let pass. */
type Operation = (typeof operations)["kill-on"];

/** What Redis was asked for: a preview changes nothing, whether it was answered or not. */
type What = "preview" | "change";

const NO_LONGER_SO = 409;
const UNAVAILABLE = 503;

/** @throws {@link Refusal} for what an operation or Redis refuses */
async function orRefused<T>(what: What, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof OperationRefusal) throw new Refusal(NO_LONGER_SO, undefined, error.message);
    if (error instanceof AccessError) throw new Refusal(UNAVAILABLE, undefined, accessText(what, error));
    throw error;
  }
}

function accessText(what: What, { problem, message }: AccessError): string {
  const outcome =
    what === "preview"
      ? "; nothing was changed"
      : ": whether anything was changed is not known; look again, then repeat it";
  switch (problem.kind) {
    case "refused":
      return `Redis refuses: ${problem.advice} (${message})`;
    case "keys in the way":
      return problem.found.join("; ");
    case "no answer":
      return `Redis does not answer${problem.where} (${message})${outcome}`;
    // A script may have failed midway.
    case "error":
      return `Redis answers with an error (${message})${outcome}`;
    default:
      return `Redis cannot do this now: ${problem.meaning} (${message}); nothing was changed`;
  }
}
