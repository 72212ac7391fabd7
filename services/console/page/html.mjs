/**
 * Templates that run as they are: htm turns them into Preact's elements, so text stays text, whatever is in it. As in HTML,
 * and for the formatter, a line break between words is a blank; htm by itself drops it.
 */
import htm from "htm";
import { h } from "preact";

const build = htm.bind(h);
/** htm knows a template by its strings, so each has one array of them for good. @type {WeakMap<TemplateStringsArray, TemplateStringsArray>} */
const known = new WeakMap();

/**
 * @param {TemplateStringsArray} strings
 * @param {unknown[]} values
 */
export function html(strings, ...values) {
  let collapsed = known.get(strings);
  if (collapsed === undefined) {
    const parts = strings.map((part) => part.replaceAll(/\s*\n\s*/g, " "));
    collapsed = Object.assign(parts, { raw: parts });
    known.set(strings, collapsed);
  }
  return build(collapsed, ...values);
}
