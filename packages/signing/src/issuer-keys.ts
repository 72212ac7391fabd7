/**
 * Public keys of those who sign, as listed in a file: `{"governor": {"<key id>": "<base64url of the raw key>"}}`. Operators
 * have a file of their own, in the same form.
 */
import type { KeyObject } from "node:crypto";
import { z } from "zod";
import { keyIdOf, readPublicKey } from "./ed25519.ts";

export const ISSUER_NAME = /^[a-z][a-z0-9_]{0,31}$/;
const KEY_ID = /^[0-9a-f]{16}$/;

const listing = z.record(z.string(), z.record(z.string(), z.string()));

export class IssuerKeys {
  static readonly NONE = new IssuerKeys(new Map(), new Map());
  /** By issuer and key id, as text for a file. */
  readonly listed: ReadonlyMap<string, ReadonlyMap<string, string>>;
  readonly #keys: ReadonlyMap<string, ReadonlyMap<string, KeyObject>>;

  private constructor(
    listed: ReadonlyMap<string, ReadonlyMap<string, string>>,
    keys: ReadonlyMap<string, ReadonlyMap<string, KeyObject>>,
  ) {
    this.listed = listed;
    this.#keys = keys;
  }

  /** @returns the keys, or everything that is wrong with the text */
  static read(text: string): IssuerKeys | { flaws: string[] } {
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      return { flaws: ["is not JSON"] };
    }
    const parsed = listing.safeParse(json);
    if (!parsed.success)
      return { flaws: parsed.error.issues.map(({ path, message }) => [...path, message].join(": ")) };
    const listed = new Map(
      Object.entries(parsed.data).map(([issuer, keys]) => [issuer, new Map(Object.entries(keys))]),
    );
    return IssuerKeys.of(listed);
  }

  static of(listed: ReadonlyMap<string, ReadonlyMap<string, string>>): IssuerKeys | { flaws: string[] } {
    const flaws: string[] = [];
    const owners = new Map<string, string>();
    const keys = new Map<string, ReadonlyMap<string, KeyObject>>();
    for (const [issuer, texts] of listed) {
      if (!ISSUER_NAME.test(issuer)) flaws.push(`${JSON.stringify(issuer)} is no issuer's name`);
      const own = new Map<string, KeyObject>();
      keys.set(issuer, own);
      for (const [kid, text] of texts) {
        const key = readPublicKey(text);
        const owner = owners.get(kid);
        if (!KEY_ID.test(kid)) flaws.push(`${issuer}.${kid}: a key id is 16 lower-case hex digits`);
        else if ("flaw" in key) flaws.push(`${issuer}.${kid}: ${key.flaw}`);
        else if (keyIdOf(text) !== kid)
          flaws.push(`${issuer}.${kid}: the id of this key is ${keyIdOf(text)}`);
        // Otherwise one issuer could grant for both.
        else if (owner !== undefined) flaws.push(`${issuer}.${kid}: is a key of ${owner}, too`);
        else own.set(kid, key);
        owners.set(kid, issuer);
      }
    }
    return flaws.length > 0 ? { flaws } : new IssuerKeys(listed, keys);
  }

  /** How many keys are listed. */
  get count(): number {
    return [...this.#keys.values()].reduce((sum, own) => sum + own.size, 0);
  }

  /** The keys that both lists have, each with its owner here and there. */
  sharedWith(others: IssuerKeys): { kid: string; owner: string; other: string }[] {
    return [...this.listed].flatMap(([owner, own]) =>
      [...others.listed].flatMap(([other, theirs]) =>
        [...own.keys()].filter((kid) => theirs.has(kid)).map((kid) => ({ kid, owner, other })),
      ),
    );
  }

  /** Whether the issuer has any key. */
  has(issuer: string): boolean {
    return (this.#keys.get(issuer)?.size ?? 0) > 0;
  }

  /** @returns the key, or why there is none */
  find(issuer: string, kid: string): KeyObject | { flaw: string } {
    const key = this.#keys.get(issuer)?.get(kid);
    if (key !== undefined) return key;
    const owner = [...this.#keys].find(([, keys]) => keys.has(kid))?.[0];
    if (owner !== undefined) return { flaw: `key ${kid} is one of ${owner}, not of ${issuer}` };
    return { flaw: this.has(issuer) ? `${issuer} has no key ${kid}` : `no key of ${issuer} is known` };
  }
}
