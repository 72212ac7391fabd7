/** Symbols, and one symbol with its books. */
/** @import { SymbolState } from "@quantum/operator" */
/** @import { Commands, SymbolView } from "../src/api.ts" */
/** @import { ApiError } from "./api.mjs" */
import { AcceptHold } from "./action-buttons.mjs";
import { useLoaded, useReload } from "./api.mjs";
import { amount, commandFor, duration } from "./format.mjs";
import { html } from "./html.mjs";
import { LIMIT_TITLES, metersOf } from "./limits.mjs";
import { PlanTable } from "./plans.mjs";
import { hrefWith } from "./routes.mjs";
import {
  Command,
  Copy,
  Empty,
  Failed,
  Fields,
  Loading,
  number,
  Panel,
  PlanLink,
  SymbolLink,
  Table,
  Text,
} from "./shown.mjs";
import { useServerMs, useStore } from "./store.mjs";
import { cut, visible } from "./visible-text.mjs";

export function SymbolsScreen() {
  const symbols = useStore((state) => state.now?.symbols);
  const nowMs = useServerMs(1_000);
  if (symbols === undefined)
    return html`<h1>Symbols</h1>
      <${Loading} rows=${6} />`;
  return html`<h1>Symbols</h1>
    ${
      symbols.length === 0
        ? html`<${Empty}>No symbol has a plan, a position or a ledger yet.<//>`
        : html`<${Table}
            label="Symbols"
            head=${["Symbol", "State", number("Waiting"), number("Unsettled"), ...LIMIT_TITLES]}
          >
            ${symbols.map((symbol) => html`<${SymbolRow} key=${symbol.symbol} now=${symbol} nowMs=${nowMs} />`)}
          <//>`
    }`;
}

/** @param {{ now: SymbolState, nowMs: number }} props */
function SymbolRow({ now, nowMs }) {
  return html`<tr>
    <th scope="row"><${SymbolLink} symbol=${now.symbol} /></th>
    <td><${Troubles} now=${now} nowMs=${nowMs} /></td>
    <td class="number">${now.waiting}</td>
    <td class="number">${now.unsettled}</td>
    ${metersOf(now).map((meter, index) => html`<td key=${index}>${meter}</td>`)}
  </tr>`;
}

/** @param {{ now: SymbolState, nowMs: number }} props */
function Troubles({ now: { inDoubt, hold, unfulfilled }, nowMs }) {
  const lasts = (/** @type {number} */ sinceMs) => duration(Math.max(0, nowMs - sinceMs));
  const troubles = [
    ...(unfulfilled ? [{ name: "CLOSE NOT FULFILLED", sinceMs: unfulfilled.sinceMs, tone: "bad" }] : []),
    ...(hold ? [{ name: "HELD", sinceMs: hold.sinceMs, tone: "warn" }] : []),
    ...inDoubt.map(({ sinceMs }) => ({ name: "IN DOUBT", sinceMs, tone: "warn" })),
  ];
  if (troubles.length === 0) return html`<span class="muted">nothing wrong</span>`;
  return troubles.map(
    ({ name, sinceMs, tone }, index) =>
      html`<span key=${index} class="nowrap"
        ><span class=${`badge ${tone}`}>${name}</span> ${lasts(sinceMs)}
      </span>`,
  );
}

/** @param {{ id: string }} props */
export function SymbolScreen({ id }) {
  // The live state comes by the stream, the books by the request.
  const live = useStore((state) => state.now?.symbols)?.find(({ symbol }) => symbol === id);
  const [reload, again] = useReload(JSON.stringify(live ?? {}));
  /** @type {{ value: SymbolView | undefined, error: ApiError | undefined, loading: boolean }} */
  const { value: view, error } = useLoaded(`symbols/${encodeURIComponent(id)}`, reload);
  const nowMs = useServerMs(1_000);
  const now = live ?? view?.now;
  const heading = html`<p class="crumbs"><a href="#/symbols">Symbols</a></p>
    <div class="title">
      <h1><bdi>${visible(cut(id, 40))}</bdi></h1>
      ${now !== undefined && html`<${Troubles} now=${now} nowMs=${nowMs} />`}
    </div>`;
  if (view === undefined)
    return html`${heading}${error === undefined ? html`<${Loading} rows=${6} />` : html`<${Failed} error=${error} onRetry=${again} />`}`;
  const hold = view.hold ?? null;
  return html`${heading}
    <${Failed} error=${error} onRetry=${again} />
    ${
      hold !== null &&
      html`<section class="notice warn" aria-label="Hold">
        <p>
          <b>Held for ${duration(Math.max(0, nowMs - hold.sinceMs))}.</b> The exchange has
          <b><${Text} text=${hold.exchangeAmt || "?"} length=${40} /></b>, the ledger
          <b> <${Text} text=${hold.ledgerAmt || "?"} length=${40} /></b>: P3.3 denies every plan of the symbol
          until they match, or an operator accepts the exchange's position.
        </p>
        <${AcceptHold} symbol=${id} onDone=${again} />
      </section>`
    }
    ${now !== undefined && html`<${Numbers} now=${now} />`}
    <${Books} view=${view} />
    <${Promises} view=${view} />
    <${Panel}
      title="Recent plans"
      aside=${html`<a href=${hrefWith("plans", { symbol: id })}>all of the symbol</a>`}
    >
      ${view.recent.length === 0 ? html`<${Empty}>The streams hold no plan of the symbol.<//>` : html`<${PlanTable} rows=${view.recent} />`}
    <//>
    <${ExitCommands} symbol=${id} />`;
}

/** There is room for more of the amounts than in a table. */
const DECIMALS = { usd: 2, quantity: 6 };

/** @param {{ now: SymbolState }} props */
function Numbers({ now }) {
  const { inDoubt, unfulfilled } = now;
  return html`<${Panel} title="Limits used">
      <div class="meters">
        ${metersOf(now, DECIMALS).map(
          (meter, index) =>
            html`<div key=${index}>
              <h3>${LIMIT_TITLES[index]}</h3>
              ${meter}
            </div>`,
        )}
      </div>
    <//>
    ${
      inDoubt.length > 0 &&
      html`<${Panel} title="Orders in doubt">
        <ul class="plain">
          ${inDoubt.map(({ planId }) => html`<li key=${planId}><${PlanLink} id=${planId} /><${Copy} text=${planId} what="plan id" /></li>`)}
        </ul>
      <//>`
    }
    ${
      unfulfilled &&
      html`<${Panel} title="Close not fulfilled">
        <p class="pad">
          ${unfulfilled.positionAmt === "" ? "The position is not known" : html`Position <b><${Text} text=${unfulfilled.positionAmt} length=${40} /></b>`}${
            unfulfilled.last !== "" && html`; last plan <${Text} text=${unfulfilled.last} />`
          }.
        </p>
      <//>`
    }`;
}

/** Fields of the pair that must be equal. */
const PAIRED = [["position_amt", "last_known_amt"]];

/** @param {{ view: SymbolView }} props */
function Books({ view: { snapshot, ledger } }) {
  const differing = PAIRED.filter(([ours = "", theirs = ""]) => {
    const [left, right] = [snapshot[ours], ledger[theirs]];
    return left !== undefined && right !== undefined && Number(left) !== Number(right);
  }).flat();
  const marked = new Set(differing);
  return html`<div class="pair">
    <${Panel} title="Snapshot" aside="the exchange's position, as last read"
      ><${Fields} fields=${snapshot} marked=${marked}
    /><//>
    <${Panel} title="Ledger" aside="what our own books make of the trades"
      ><${Fields} fields=${ledger} marked=${marked}
    /><//>
  </div>`;
}

/** @param {{ view: SymbolView }} props */
function Promises({ view: { promises } }) {
  return html`<${Panel} title="Reserved by permits">
    ${
      promises.length === 0
        ? html`<${Empty}>No permit of the symbol is open.<//>`
        : html`<${Table}
            label="Reserved by permits"
            head=${["Issuer", "Plan", number("Quantity"), number("USD")]}
          >
            ${promises.map(
              ({ issuer, planId, qty, notional }) =>
                html`<tr key=${`${issuer} ${planId}`}>
                  <th scope="row">${visible(cut(issuer, 30))}</th>
                  <td><${PlanLink} id=${planId} /></td>
                  <td class="number">${amount(qty, 8)}</td>
                  <td class="number">${amount(notional, 2)}</td>
                </tr>`,
            )}
          <//>`
    }
  <//>`;
}

/** @param {{ symbol: string }} props */
function ExitCommands({ symbol }) {
  /** @type {{ value: Commands | undefined }} */
  const { value: commands } = useLoaded("commands");
  if (commands === undefined) return null;
  const [flatten, close] = [commandFor(commands.flatten, symbol), commandFor(commands.close, symbol)];
  return html`<${Panel} title="Close it yourself">
    <p class="pad muted">
      These need an operator's own key, which the console never has. Run them where the key is; each shows
      what it will do and asks before it acts.
    </p>
    <ul class="commands">
      ${
        flatten === undefined || close === undefined
          ? html`<li>There is no command for this name: no exchange has a symbol that is called so.</li>`
          : html`<li>Close the whole position <${Command} text=${flatten} /></li>
              <li>Close a part <${Command} text=${close} /></li>`
      }
      <li>Close every position of the account <${Command} text=${commands.flattenAll} /></li>
    </ul>
  <//>`;
}
