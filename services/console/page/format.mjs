/** Times and amounts for people. Pure. */

const MS_PER_SEC = 1_000;
const SEC_PER_MIN = 60;
const SEC_PER_HOUR = 3_600;
const SEC_PER_DAY = 86_400;
/** Waits are compared with budgets of about a second: below this they are told in ms. */
const WHOLE_MS_BELOW = 10_000;

/**
 * `340 ms`, `12 s`, `5 min`, `3 h`, `9 d`: as permitctl tells durations, rounded down.
 *
 * @param {number} ms
 */
export function duration(ms) {
  const sec = Math.floor(ms / MS_PER_SEC);
  if (sec < 1) return `${Math.max(0, Math.round(ms))} ms`;
  if (sec < 2 * SEC_PER_MIN) return `${sec} s`;
  if (sec < 2 * SEC_PER_HOUR) return `${Math.floor(sec / SEC_PER_MIN)} min`;
  if (sec < 2 * SEC_PER_DAY) return `${Math.floor(sec / SEC_PER_HOUR)} h`;
  return `${Math.floor(sec / SEC_PER_DAY)} d`;
}

/**
 * Ages on the screen change once a second at most, so the last second is `now`.
 *
 * @param {number} ms
 */
export function age(ms) {
  return ms < MS_PER_SEC ? "now" : `${duration(ms)} ago`;
}

/**
 * `56 ms`, `1,201 ms`, `12.4 s`; `–` for what is not known.
 *
 * @param {number | undefined} ms
 */
export function wait(ms) {
  if (ms === undefined || !Number.isFinite(ms)) return "–";
  if (Math.abs(ms) < WHOLE_MS_BELOW) return `${count(Math.round(ms))} ms`;
  return ms < 2 * SEC_PER_MIN * MS_PER_SEC ? `${(ms / MS_PER_SEC).toFixed(1)} s` : duration(ms);
}

/**
 * What is left of a wait: `0.8 s`, `12 s`; `over` once it has ended.
 *
 * @param {number} ms
 */
export function left(ms) {
  if (ms <= 0) return "over";
  return ms < WHOLE_MS_BELOW ? `${(ms / MS_PER_SEC).toFixed(1)} s` : duration(ms);
}

/**
 * UTC, as everything that the pipeline writes.
 *
 * @param {number} ms
 */
export function timeOfDay(ms) {
  return isTime(ms) ? new Date(ms).toISOString().slice(11, 19) : "?";
}

/** @param {number} ms */
export function minuteOfDay(ms) {
  return timeOfDay(ms).slice(0, 5);
}

/**
 * Today's times without their date.
 *
 * @param {number} ms
 * @param {number} nowMs
 */
export function dateTime(ms, nowMs) {
  if (!isTime(ms)) return "?";
  const text = new Date(ms).toISOString();
  const isToday = text.slice(0, 10) === new Date(nowMs).toISOString().slice(0, 10);
  return isToday ? text.slice(11, 19) : `${text.slice(0, 10)} ${text.slice(11, 19)}`;
}

/** @param {number} ms */
export function isoTime(ms) {
  return isTime(ms) ? new Date(ms).toISOString() : "?";
}

/** @param {number} ms */
function isTime(ms) {
  return Math.abs(ms) <= 8.64e15;
}

/**
 * `1,234,567`.
 *
 * @param {number} number
 */
export function count(number) {
  return grouped(String(number));
}

/**
 * Decimal text, rounded down to `decimals` and grouped. What is no decimal number stays as it is.
 *
 * @param {string} text
 * @param {number} decimals
 */
export function amount(text, decimals) {
  const [, sign = "", whole = "", fraction = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  if (whole === "") return text;
  const kept = fraction.slice(0, decimals).replace(/0+$/, "");
  const shown = `${grouped(whole)}${kept === "" ? "" : `.${kept}`}`;
  // A small amount must not read as none.
  if (shown === "0" && /[1-9]/.test(fraction)) return `${sign}<${(0.1 ** decimals).toFixed(decimals)}`;
  return `${sign}${shown}`;
}

/**
 * A cap, short: `80M` for 80,000,000. What is no whole number of thousands or millions stays exact.
 *
 * @param {string} text
 * @param {number} decimals
 */
export function cap(text, decimals) {
  const [, digits = "", zeros = ""] = /^(\d+?)(000000|000)(?:\.0+)?$/.exec(text) ?? [];
  if (zeros === "" || (zeros === "000" && digits.length < 3)) return amount(text, decimals);
  return `${grouped(digits)}${zeros === "000" ? "k" : "M"}`;
}

/** @param {string} digits */
function grouped(digits) {
  return digits.replaceAll(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/**
 * @param {number} number
 * @param {string} one
 * @param {string} [many]
 */
export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/**
 * How much of a cap is used, from 0; undefined where there is no cap, or no number.
 *
 * @param {string | number} used
 * @param {string} cap
 */
export function share(used, cap) {
  if (cap === "" || used === "") return undefined;
  const [part, whole] = [Number(used), Number(cap)];
  if (!Number.isFinite(part) || !Number.isFinite(whole)) return undefined;
  if (whole <= 0) return part > 0 ? 1 : undefined;
  return part / whole;
}

/** No name of an exchange has more than letters and digits. Others would mean something else to a shell, or to permitctl. */
const SHELL_SAFE = /^[\p{L}\p{N}_]{1,40}$/u;

/**
 * The command for a symbol, to be copied into a shell; undefined for a name that must not get there: anybody who writes to
 * Redis can make one up.
 *
 * @param {string} command with the word SYMBOL
 * @param {string} symbol
 */
export function commandFor(command, symbol) {
  return SHELL_SAFE.test(symbol) ? command.replaceAll("SYMBOL", () => symbol) : undefined;
}
