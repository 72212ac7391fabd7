/** The place of a key, and the same key elsewhere: what a change of the number of partitions goes by. */
import { createIntakeKeys, createKeys } from "./keys.ts";

/** One of several places: a partition by its number, or the intake. */
export type Where = number | "intake";

/** A key's place and the wire's name of it. Undefined: it has no tag. */
const TAGGED = /^(quantum:[^:]+):\{(?:q(\d{1,2})|quantum:stream:harvest\.proposal)\}(.*)$/;

export interface Located {
  /** Undefined: in the wire's layout. */
  where: Where | undefined;
  wireName: string;
}

export function locate(key: string): Located {
  const [, family = "", number, rest = ""] = TAGGED.exec(key) ?? [];
  if (family === "") return { where: undefined, wireName: key };
  return { where: number === undefined ? "intake" : Number(number), wireName: `${family}${rest}` };
}

/** The same key in another place. @param where undefined: in the wire's layout */
export function keyIn(wireName: string, where: Where | undefined): string {
  if (where === undefined) return wireName;
  const { probe } = where === "intake" ? createIntakeKeys(2) : createKeys({ partition: where });
  const tag = /\{.+\}/.exec(probe)?.[0] ?? "";
  const [, family = "", rest = ""] = /^(quantum:[^:]+)(.*)$/.exec(wireName) ?? [];
  return `${family}:${tag}${rest}`;
}

/** No layout's key begins so. The rest of it has the tag, and so it is in the slot of the key that it will be. */
const STAGED = "quantum:migrating:";

/** The name of a copy that does not have its key's name yet. */
export function staged(key: string): string {
  return `${STAGED}${key}`;
}

/** The name that it will have. Other keys are as they are. */
export function unstaged(key: string): string {
  return key.startsWith(STAGED) ? key.slice(STAGED.length) : key;
}
