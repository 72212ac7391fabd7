/** Helpers for the tables of records. */
import type { z } from "zod";
import type { Field, Fields, HashRecord } from "./hash-record.ts";

type Written = Field["written"];

export function field<Value>(
  schema: z.ZodType<Value>,
  written: Written,
  meaning: string,
  unit: Field["unit"] = "",
): Field<Value> {
  return { schema, written, meaning, unit };
}

export function record<const Of extends Fields>(fields: Of, always: readonly string[]): HashRecord<Of> {
  return { fields, always };
}
