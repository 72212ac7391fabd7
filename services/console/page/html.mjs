/** Templates that run as they are: htm turns them into Preact's elements, so text stays text, whatever is in it. */
import htm from "htm";
import { h } from "preact";
import { joined } from "./template-lines.mjs";

const build = htm.bind(h);

/**
 * @param {TemplateStringsArray} strings
 * @param {unknown[]} values
 */
export const html = (strings, ...values) => build(joined(strings), ...values);
