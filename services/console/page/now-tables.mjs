/** What needs somebody, and who is at work. */
/** @import { Group, Service, SymbolState } from "@quantum/operator" */
/** @import { Now } from "../src/api.ts" */
import { AcceptHold } from "./action-buttons.mjs";
import { count, duration } from "./format.mjs";
import { html } from "./html.mjs";
import { Empty, number, Panel, PlanLink, SymbolLink, Table, Text } from "./shown.mjs";
import { useServerMs } from "./store.mjs";
import { cut, visible } from "./visible-text.mjs";

/** @param {readonly SymbolState[]} symbols */
export const isTrouble = (symbols) =>
  symbols.some(({ inDoubt, hold }) => inDoubt.length > 0 || (hold ?? null) !== null);

/** Orders in doubt and holds; nothing where there are none. @param {{ now: Now }} props */
export function Trouble({ now }) {
  const nowMs = useServerMs(1_000);
  if (!isTrouble(now.symbols)) return null;
  const doubts = now.symbols.flatMap(({ symbol, inDoubt }) => inDoubt.map((doubt) => ({ symbol, ...doubt })));
  const holds = now.symbols.flatMap(({ hold }) => hold ?? []);
  const for_ = (/** @type {number} */ sinceMs) => duration(Math.max(0, nowMs - sinceMs));
  return html`<${Panel} title="Doubts and holds" class="trouble">
    <ul class="rows">
      ${doubts.map(
        ({ symbol, planId, sinceMs }) =>
          html`<li key=${planId}>
            <span class="badge warn">IN DOUBT</span>
            <${SymbolLink} symbol=${symbol} />
            <${PlanLink} id=${planId} />
            <span class="grow muted"
              >the exchange's answer was ambiguous: the symbol is blocked until evidence settles the
              order</span
            >
            <b>${for_(sinceMs)}</b>
          </li>`,
      )}
      ${holds.map(
        (hold) =>
          html`<li key=${hold.symbol}>
            <span class="badge warn">HELD</span>
            <${SymbolLink} symbol=${hold.symbol} />
            <span class="grow muted"
              >the exchange has <b><${Text} text=${hold.exchangeAmt || "?"} length=${40} /></b>, the ledger
              <b><${Text} text=${hold.ledgerAmt || "?"} length=${40} /></b
            ></span>
            <b>${for_(hold.sinceMs)}</b>
            <${AcceptHold} symbol=${hold.symbol} />
          </li>`,
      )}
    </ul>
  <//>`;
}

/** @param {{ now: Now }} props */
export function Services({ now }) {
  const { services, groups } = now;
  const builds = new Set(services.flatMap(({ probe }) => (probe?.build ? [buildText(probe.build)] : [])));
  const aside =
    builds.size > 1 ? html`<span class="warn-text">${builds.size} versions run at once</span>` : undefined;
  return html`<${Panel} title="Services" class="services" aside=${aside}>
    ${
      services.length === 0
        ? html`<${Empty}>No service is connected to this Redis.<//>`
        : html`<${Table}
            label="Services"
            head=${["Service", "Instance", "Reads", "Ready", number("Lag"), number("Pending"), "Version"]}
          >
            ${services.map((service) => html`<${ServiceRow} key=${service.instance} service=${service} groups=${groups} />`)}
          <//>`
    }
  <//>`;
}

/** @param {{ service: Service, groups: readonly Group[] }} props */
function ServiceRow({ service, groups }) {
  const { service: name, instance, alive, probe } = service;
  const own = groups.filter(({ consumers }) => consumers.includes(instance));
  const lag = own.reduce((sum, group) => sum + (group.lag ?? 0), 0);
  const pending = own.reduce((sum, group) => sum + group.pending, 0);
  const oldestMs = Math.max(0, ...own.map((group) => (group.pending > 0 ? group.oldestIdleMs : 0)));
  const told = own
    .map((group) => `${group.stream}: lag ${group.lag ?? "unknown"}, pending ${group.pending}`)
    .join("\n");
  return html`<tr class=${alive ? "" : "gone"}>
    <th scope="row">${visible(cut(name, 40))}</th>
    <td class="mono"><${Text} text=${instance.slice(name.length + 1)} length=${60} /></td>
    <td>${alive ? html`<span class="dot ok"></span>yes` : html`<span class="dot bad"></span>gone`}</td>
    <td class=${probe?.ready === false ? "words" : ""}>${readyText(service)}</td>
    <td class="number" title=${told}>
      ${own.length === 0 ? "–" : own.some((group) => group.lag === null) ? "?" : count(lag)}
    </td>
    <td class="number" title=${told}>
      ${own.length === 0 ? "–" : count(pending)}${oldestMs > 1_000 && html` <small>oldest ${duration(oldestMs)}</small>`}
    </td>
    <td class="mono">
      ${probe?.build ? html`<${Text} text=${buildText(probe.build)} length=${40} />` : html`<span class="muted">–</span>`}
    </td>
  </tr>`;
}

/** @param {Service} service */
function readyText({ alive, probe }) {
  if (!alive) return html`<span class="muted">–</span>`;
  if (probe === undefined || probe === null)
    return html`<span class="muted" title="It runs on another host, or its port is not known."
      >not asked</span
    >`;
  if (probe.ready)
    return html`<span class="dot ok"></span
      >ready${probe.note !== "" && html` <small><${Text} text=${probe.note} length=${80} /></small>`}`;
  return html`<span class="dot bad"></span
    ><span class="bad-text"
      >${probe.problems.length === 0 ? "not ready" : html`<${Text} text=${probe.problems.join("; ")} length=${120} />`}</span
    >`;
}

/** @param {{ version: string, commit: string }} build */
function buildText({ version, commit }) {
  const dirty = commit.endsWith("-dirty") ? "-dirty" : "";
  return `${version} ${commit.replace(/-dirty$/, "").slice(0, 9)}${dirty}`;
}
