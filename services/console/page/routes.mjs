/** The page's addresses: what stands behind `#` names a screen, so that every one of them can be sent as a link. Pure. */

/** @typedef {"now" | "plans" | "dead-letters" | "symbols" | "audit" | "checks"} Screen */

/**
 * @typedef {object} Route
 * @property {Screen} screen
 * @property {string} id of a plan or a symbol; "" for the list
 * @property {Readonly<Record<string, string>>} query
 */

/** @type {readonly { screen: Screen, title: string, key: string }[]} */
export const SCREENS = [
  { screen: "now", title: "Now", key: "n" },
  { screen: "plans", title: "Plans", key: "p" },
  { screen: "symbols", title: "Symbols", key: "s" },
  { screen: "dead-letters", title: "Dead letters", key: "d" },
  { screen: "audit", title: "Audit", key: "a" },
  { screen: "checks", title: "Checks", key: "c" },
];

/**
 * @param {string} hash
 * @returns {Route}
 */
export function routeOf(hash) {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [name = "", ...rest] = path.split("/");
  const screen = SCREENS.find((candidate) => candidate.screen === name)?.screen ?? "now";
  return { screen, id: decoded(rest.join("/")), query: Object.fromEntries(new URLSearchParams(query)) };
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** What the server takes of a text that is searched for. */
export const SEARCHED_MAX_CHARS = 200;

/** Whether a search for it is answered: strangers' texts may have any length. @param {string} text */
export const isSearchable = (text) => text !== "" && text.length <= SEARCHED_MAX_CHARS;

/** @param {string} text */
export const isPlanId = (text) => /^[0-9a-f]{16}$/.test(text);

/**
 * @param {Screen} screen
 * @param {string} [id]
 */
export function hrefOf(screen, id = "") {
  // Half a character, which JSON can carry, is no part of an address.
  return id === "" ? `#/${screen}` : `#/${screen}/${encodeURIComponent(id.toWellFormed())}`;
}

/**
 * Fields that say nothing are left out.
 *
 * @param {Screen} screen
 * @param {Readonly<Record<string, string>>} query
 */
export function hrefWith(screen, query) {
  const said = Object.entries(query).filter(([, value]) => value !== "");
  return said.length === 0 ? hrefOf(screen) : `${hrefOf(screen)}?${new URLSearchParams(said)}`;
}

/** `EXECUTED`, `NOT_PLACED`: how plans end, or where they stand. */
const OUTCOMES = new Set([
  ..."SKIP BLOCKED ERROR DRY_RUN EXECUTED REJECTED NOT_PLACED".split(" "),
  ..."WAITING PERMITTED SENT UNKNOWN".split(" "),
]);

/**
 * What somebody who types this into the search means: a plan's id, an outcome, a reason or a symbol.
 *
 * @param {string} text
 * @param {readonly string[]} symbols known ones
 * @returns {{ href: string, says: string } | undefined}
 */
export function searchFor(text, symbols) {
  const word = text.trim();
  if (word === "") return undefined;
  if (isPlanId(word.toLowerCase()))
    return { href: hrefOf("plans", word.toLowerCase()), says: `plan ${word}` };
  const upper = word.toUpperCase();
  if (OUTCOMES.has(upper))
    return { href: hrefWith("plans", { outcome: upper }), says: `plans that are ${upper}` };
  const begun = symbols.filter((symbol) => symbol.startsWith(upper));
  const symbol = symbols.find((known) => known === upper) ?? (begun.length === 1 ? begun[0] : undefined);
  if (symbol !== undefined) return { href: hrefWith("plans", { symbol }), says: `plans of ${symbol}` };
  if (word.includes("_"))
    return { href: hrefWith("plans", { reason: word }), says: `plans with the reason ${word}` };
  if (/^[A-Z0-9]{1,20}$/i.test(word))
    return { href: hrefWith("plans", { symbol: upper }), says: `plans of ${upper}` };
  return { href: hrefOf("plans", word), says: `plan ${word}` };
}
