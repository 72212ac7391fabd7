/** Text from elsewhere (Redis, the exchange, a foreign issuer) as people and their tools may see it. Pure. */

/**
 * What a terminal obeys instead of showing it, and what cannot be seen: controls (C0, DEL, C1), line and paragraph
 * separators, bidirectional and other format characters, characters that are ignored by default, private and unassigned
 * ones, halves of a surrogate pair.
 */
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
/** Nothing to look for in most text. */
const PLAIN = /^[ -~]*$/;
const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/**
 * One line that shows every character of the text; what is {@link UNSEEN} appears as JSON escapes it. JSON stays the same
 * JSON, since these characters stand inside its strings only.
 */
export function escapeControls(text: string): string {
  if (PLAIN.test(text)) return text;
  return text.replaceAll(UNSEEN, (character) => SHORT[character] ?? escapeUnits(character));
}

/** A character beyond U+FFFF is two units, as in JSON. */
function escapeUnits(character: string): string {
  let escaped = "";
  for (let index = 0; index < character.length; index += 1)
    escaped += `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`;
  return escaped;
}

/** The value of a `name=value` field: what would end it or begin another one (a blank, `=`, a quote) becomes `_`. */
export function fieldValue(text: string): string {
  return text.replaceAll(/[^\p{L}\p{N}_.,:+-]/gu, "_");
}
