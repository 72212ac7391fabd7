/** Pure. */

/** @type {WeakMap<TemplateStringsArray, TemplateStringsArray>} */
const known = new WeakMap();

/**
 * As in HTML, and for the formatter, a line break between words is a blank; htm by itself drops it. htm knows a template by
 * its strings, so each has one array of them for good.
 *
 * @param {TemplateStringsArray} strings
 * @returns {TemplateStringsArray}
 */
export function joined(strings) {
  const before = known.get(strings);
  if (before !== undefined) return before;
  const parts = strings.map((part) => part.replaceAll(/\s*\n\s*/g, " "));
  const after = Object.assign(parts, { raw: parts });
  known.set(strings, after);
  return after;
}
