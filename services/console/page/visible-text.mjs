/** Text of strangers (Redis, the exchange, proposals) as an operator can trust it. Pure. */

/** Longer texts are cut until somebody asks for the rest. */
export const CUT_AT = 400;

/** Control and format characters, and separators of lines: they change what is seen without being seen. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/u;

/**
 * @typedef {object} Piece
 * @property {string} text
 * @property {boolean} escaped It stands for a character that cannot be seen.
 */

/**
 * Invisible characters are written as permitctl writes them: `\u001b` for ESC.
 *
 * @param {string} text
 * @returns {Piece[]}
 */
export function piecesOf(text) {
  /** @type {Piece[]} */
  const pieces = [];
  for (const character of text) {
    const escaped = INVISIBLE.test(character);
    const shown = escaped ? escapeOf(character) : character;
    const last = pieces.at(-1);
    if (last?.escaped === escaped) last.text += shown;
    else pieces.push({ text: shown, escaped });
  }
  return pieces;
}

/** @param {string} character */
function escapeOf(character) {
  const named = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }[character];
  if (named !== undefined) return named;
  const code = (character.codePointAt(0) ?? 0).toString(16);
  return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, "0")}`;
}

/**
 * For where there are no elements: titles, labels.
 *
 * @param {string} text
 */
export function visible(text) {
  return piecesOf(text)
    .map((piece) => piece.text)
    .join("");
}

/**
 * Its beginning, not cut within a character.
 *
 * @param {string} text
 * @param {number} [length]
 */
export function cut(text, length = CUT_AT) {
  if (text.length <= length) return text;
  const start = text.slice(0, length);
  return /[\uD800-\uDBFF]$/.test(start) ? start.slice(0, -1) : start;
}
