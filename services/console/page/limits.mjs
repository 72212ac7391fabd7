/** What is used of the limits of each symbol. */
/** @import { SymbolState } from "@quantum/operator" */
import { amount, cap, share } from "./format.mjs";
import { html } from "./html.mjs";
import { Empty, number, Panel, SymbolLink, Table } from "./shown.mjs";
import { cut, visible } from "./visible-text.mjs";

export const LIMIT_TITLES = ["5 min", "Hour", "USD today", "Quantity today"];

/**
 * The meters of a symbol, in the order of {@link LIMIT_TITLES}.
 *
 * @param {Pick<SymbolState, "symbol" | "limits" | "caps">} state
 * @param {{ usd: number, quantity: number }} [decimals]
 */
export function metersOf({ symbol, limits, caps }, decimals = { usd: 0, quantity: 3 }) {
  return [
    html`<${Meter}
      label=${`${symbol}, 5 min`}
      charged=${String(limits.executions5min)}
      cap=${caps.executions5min}
    />`,
    html`<${Meter}
      label=${`${symbol}, hour`}
      charged=${String(limits.executionsHour)}
      cap=${caps.executionsHour}
    />`,
    html`<${Meter}
      label=${`${symbol}, USD`}
      charged=${limits.chargedNotional}
      reserved=${limits.reservedNotional}
      cap=${caps.notionalDay}
      decimals=${decimals.usd}
    />`,
    html`<${Meter}
      label=${`${symbol}, quantity`}
      charged=${limits.chargedQty}
      reserved=${limits.reservedQty}
      cap=${caps.qtyDay}
      decimals=${decimals.quantity}
    />`,
  ];
}

/** @param {{ symbols: readonly SymbolState[] }} props */
export function Limits({ symbols }) {
  if (symbols.length === 0)
    return html`<${Panel} title="Limits"><${Empty}>No symbol has had a plan yet.<//><//>`;
  const aside = html`<span class="key charged">charged</span><span class="key reserved">reserved</span>`;
  return html`<${Panel} title="Limits" aside=${aside}>
    <${Table}
      label="Limits by symbol"
      class="limits"
      head=${["Symbol", number("Waiting"), number("Unsettled"), ...LIMIT_TITLES]}
    >
      ${symbols.map(
        (state) =>
          html`<tr key=${state.symbol}>
            <th scope="row"><${SymbolLink} symbol=${state.symbol} /></th>
            <td class="number">${state.waiting || html`<span class="muted">0</span>`}</td>
            <td class="number">${state.unsettled || html`<span class="muted">0</span>`}</td>
            ${metersOf(state).map((meter, index) => html`<td key=${index}>${meter}</td>`)}
          </tr>`,
      )}
    <//>
  <//>`;
}

/** From here on a limit is worth a look; the next plans may be denied. */
const NEARLY = 0.8;

/**
 * @param {{ label: string, charged: string, reserved?: string, cap: string, decimals?: number }} props
 */
function Meter({ label, charged, reserved = "0", cap: most, decimals = 0 }) {
  const used = share(charged, most);
  // Somebody else wrote there what is no amount.
  const isKnown = charged !== "" && reserved !== "";
  const all = isKnown ? share(Number(charged) + Number(reserved), most) : undefined;
  const shown = (/** @type {string} */ text) => (text === "" ? "?" : amount(text, decimals));
  const tone = all === undefined || all < NEARLY ? "" : all >= 1 ? "bad" : "warn";
  const exact = `${visible(cut(label, 60))}: ${charged || "?"} charged, ${reserved || "?"} reserved, ${most === "" ? "no cap known" : `of ${most}`}`;
  return html`<div class=${`meter ${tone}`} title=${exact}>
    <span>
      ${shown(charged)}${reserved !== "0" && html`<i> + ${shown(reserved)}</i>`}
      <small>${most === "" ? "" : ` / ${cap(most, decimals)}`}</small>
    </span>
    <svg viewBox="0 0 100 3" preserveAspectRatio="none" aria-hidden="true">
      <rect class="track" width="100" height="3" />
      ${all !== undefined && html`<rect class="reserved" width=${Math.min(1, all) * 100} height="3" />`}
      ${used !== undefined && html`<rect class="charged" width=${Math.min(1, used) * 100} height="3" />`}
    </svg>
  </div>`;
}
