/** What browsers send, checked against a schema. */
import type { z } from "zod";
import { Refusal } from "./refusal.ts";

/** @throws {@link Refusal} that names everything that is wrong */
export function inputOf<Schema extends z.ZodType>(schema: Schema, given: unknown): z.output<Schema> {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const flaws = parsed.error.issues.map(({ path, message }) =>
    [path.join("."), message].filter(Boolean).join(": "),
  );
  throw new Refusal(400, undefined, `${flaws.join("; ")}; nothing was changed`);
}
