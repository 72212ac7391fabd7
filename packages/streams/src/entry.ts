/** One entry of a stream, as a consumer receives it. */
export interface Entry {
  id: string;
  fields: Record<string, string>;
  /** How often it has been delivered, including this time. */
  deliveries: number;
}

/** An entry that was deleted while pending has no fields. */
export type RawEntry = [id: string, flat: string[] | null];

/** The same entry, delivered once more. */
export function laterDeliveryOf(entry: Entry): Entry {
  return { ...entry, deliveries: entry.deliveries + 1 };
}

export function parseEntries(raw: readonly RawEntry[]): Entry[] {
  return raw.map(([id, flat]) => ({ id, fields: fieldsOf(flat ?? []), deliveries: 1 }));
}

export function fieldsOf(flat: readonly string[]): Record<string, string> {
  // Without a prototype, `__proto__` is an ordinary field name.
  const fields = Object.create(null) as Record<string, string>;
  for (let i = 0; i + 1 < flat.length; i += 2) fields[flat[i] ?? ""] = flat[i + 1] ?? "";
  return fields;
}
