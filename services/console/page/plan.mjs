/** One plan: how it ended and why, when what happened, and everything that is stored of it. */
/** @import { PermitView, PlanView } from "../src/api.ts" */
import { ForcePlan } from "./action-buttons.mjs";
import { useLoaded, useReload } from "./api.mjs";
import { signOf } from "./ended-plans.mjs";
import { plural, wait } from "./format.mjs";
import { html } from "./html.mjs";
import { Timeline } from "./plan-timeline.mjs";
import { hrefWith, isSearchable } from "./routes.mjs";
import {
  Command,
  Copy,
  Empty,
  Failed,
  Fields,
  Loading,
  number,
  Outcome,
  Panel,
  SearchLink,
  SymbolLink,
  Table,
  Text,
  Time,
} from "./shown.mjs";
import { useStore } from "./store.mjs";
import { cut, visible } from "./visible-text.mjs";

const UNENDED = new Set(["WAITING", "PERMITTED", "SENT", "UNKNOWN"]);

/** @param {{ id: string }} props */
export function PlanScreen({ id }) {
  const [reload, again] = useReload(useSignOf(id));
  /** @type {{ value: PlanView | undefined, error: import("./api.mjs").ApiError | undefined }} */
  const { value: plan, error } = useLoaded(`plans/${encodeURIComponent(id)}`, reload);
  const ended = plan !== undefined && !UNENDED.has(plan.conclusion.state);

  const heading = html`<p class="crumbs"><a href="#/plans">Plans</a></p>
    <div class="title">
      <h1>Plan <span class="mono">${visible(cut(id, 64))}</span></h1>
      <${Copy} text=${id} what="plan id" />
      ${plan !== undefined && html`<${SymbolLink} symbol=${plan.symbol} /><${Outcome} outcome=${plan.conclusion.state.toUpperCase()} />`}
      <${CopyPageLink} />
    </div>`;
  if (plan === undefined)
    return html`${heading}
    ${
      error?.status === 404
        ? html`<${Empty}
            >Redis knows nothing of this plan: it was never opened, or its records have expired (a record
            lasts a day, an order a week).<//
          >`
        : error === undefined
          ? html`<${Loading} rows=${8} />`
          : html`<${Failed} error=${error} onRetry=${again} />`
    }`;
  return html`${heading}
    <${Failed} error=${error} onRetry=${again} />
    <${Conclusion} plan=${plan} onDone=${again} />
    ${plan.attempts.map(
      (attempt, index) =>
        html`<${AttemptPanel}
          key=${attempt.attempt}
          plan=${plan}
          index=${index}
          ended=${ended || index < plan.attempts.length - 1}
        />`,
    )}
    <${Permits} permits=${plan.permits} />
    <${Caps} plan=${plan} />
    <div class="pair">
      <${Panel} title="Order">
        ${plan.venueSaid !== "" && html`<p class="venue"><b>The exchange said</b> <${Text} text=${plan.venueSaid} /><${Copy} text=${plan.venueSaid} what="what the exchange said" /></p>`}
        ${Object.keys(plan.order).length === 0 ? html`<${Empty}>No order was claimed.<//>` : html`<${Fields} fields=${plan.order} />`}
      <//>
      <${Panel} title="Record"><${Fields} fields=${plan.record} /><//>
    </div>
    ${
      plan.unreadable.length > 0 &&
      html`<${Panel} title="Not read">
        <ul class="plain">
          ${plan.unreadable.map((problem) => html`<li key=${problem}><${Text} text=${problem} /></li>`)}
        </ul>
      <//>`
    }
    ${
      plan.traceId !== "" &&
      html`<p class="foot">
        Trace <span class="mono"><${Text} text=${plan.traceId} /></span
        ><${Copy} text=${plan.traceId} what="trace id" />
      </p>`
    }`;
}

/** What the stream tells of the plan: who has not answered yet, whether it is in doubt, how it ended. @param {string} id */
function useSignOf(id) {
  return useStore(({ now, ended }) => {
    const lacks = now?.waiting.find(({ planId }) => planId === id)?.lacks ?? [];
    const doubts = now?.symbols.filter(({ inDoubt }) => inDoubt.some(({ planId }) => planId === id)) ?? [];
    return [...lacks, doubts.length, signOf(ended, id)].join(" ");
  });
}

function CopyPageLink() {
  return html`<span class="page-link">Link <${Copy} text=${location.href} what="link to this page" /></span>`;
}

/** @param {{ plan: PlanView, onDone: () => void }} props */
function Conclusion({ plan, onDone }) {
  const { conclusion, planId, record } = plan;
  return html`<section class="conclusion" aria-label="Why it ended so">
    <p class="sentence">
      <${Text} text=${conclusion.sentence} length=${600} /><${Copy}
        text=${conclusion.sentence}
        what="sentence"
      />
    </p>
    ${conclusion.lookAt !== "" && html`<p class="look-at"><b>Check</b> <${Text} text=${conclusion.lookAt} length=${600} /></p>`}
    ${
      conclusion.state === "UNKNOWN" &&
      html`<div class="look-at">
        <b>If you know how the order ended</b>, because the exchange itself shows it, state that, executed or
        not-placed:
        <${Command} text=${`permitctl doubt end ${planId} --as OUTCOME`} />
      </div>`
    }
    <p class="tools">
      ${
        isSearchable(conclusion.reason) &&
        html`<a class="button" href=${hrefWith("plans", { reason: conclusion.reason })}
          >Plans with the same reason</a
        >`
      }
      <${ForcePlan} planId=${planId} class=${record["class"] ?? ""} onDone=${onDone} />
    </p>
  </section>`;
}

/** @param {{ plan: PlanView, index: number, ended: boolean }} props */
function AttemptPanel({ plan, index, ended }) {
  const attempt = plan.attempts[index];
  if (attempt === undefined) return null;
  const isLast = index === plan.attempts.length - 1;
  const several = plan.attempts.length > 1;
  const aside = html`opened <${Time} ms=${attempt.openedAtMs} /> UTC${
      attempt.attempt !== "" &&
      html`, attempt <span class="mono"><${Text} text=${attempt.attempt} length=${40} /></span
        ><${Copy} text=${attempt.attempt} what="attempt id" />`
    }`;
  return html`<${Panel}
    title=${several ? `Attempt ${index + 1} of ${plan.attempts.length}` : "Timeline"}
    aside=${aside}
  >
    <${Timeline} attempt=${attempt} permits=${isLast ? plan.permits : []} ended=${ended} />
    <${Table}
      label="Stages"
      class="stages"
      head=${["UTC", number("Since opening"), number("Step"), "Stage", "What happened"]}
    >
      ${attempt.stages.map(
        ({ atMs, sinceOpenMs, deltaMs, stage, text }, row) =>
          html`<tr key=${row}>
            <td class="mono">${millisecondTime(atMs)}</td>
            <td class="number">${wait(sinceOpenMs)}</td>
            <td class="number muted">+${wait(deltaMs)}</td>
            <th scope="row">${visible(cut(stage, 30))}</th>
            <td class="words">
              <${Text} text=${text} /><${Copy}
                text=${text}
                what=${`what happened at ${visible(cut(stage, 30))}`}
              />
            </td>
          </tr>`,
      )}
    <//>
  <//>`;
}

/** @param {number} ms */
function millisecondTime(ms) {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString().slice(11, 23) : "?";
}

/** @param {{ permits: readonly PermitView[] }} props */
function Permits({ permits }) {
  if (permits.length === 0) return null;
  return html`<${Panel} title="Permits" aside=${plural(permits.length, "issuer")}>
    <${Table}
      label="Permits"
      head=${["Issuer", "Verdict", "Reason", number("Wait"), "Signed with key", "Signature"]}
    >
      ${permits.map(
        ({ issuer, verdict, reason, waitMs, key, signature }) =>
          html`<tr key=${issuer}>
            <th scope="row">${visible(cut(issuer, 30))}</th>
            <td>${verdictText(verdict)}</td>
            <td class="words">
              <${SearchLink}
                screen="plans"
                field="reason"
                text=${reason}
              />${reason !== "" && html`<${Copy} text=${reason} what="reason" />`}
            </td>
            <td class="number">${wait(waitMs)}</td>
            <td class="mono">
              ${key === "" ? html`<span class="muted">not signed</span>` : html`<${Text} text=${key} length=${40} /><${Copy} text=${key} what="key id" />`}
            </td>
            <td class=${signature === "valid" ? "" : "muted"}><${Text} text=${signature} length=${80} /></td>
          </tr>`,
      )}
    <//>
  <//>`;
}

/** @param {string} verdict */
function verdictText(verdict) {
  if (verdict === "") return html`<span class="badge quiet">NO ANSWER</span>`;
  const tone = { granted: "ok", denied: "bad" }[verdict] ?? "quiet";
  return html`<span class=${`badge ${tone}`}>${visible(cut(verdict.toUpperCase(), 30))}</span>`;
}

/** @param {{ plan: PlanView }} props */
function Caps({ plan: { caps } }) {
  if (caps.length === 0) return null;
  return html`<${Panel} title="Caps">
    <ul class="plain">
      ${caps.map(
        ({ issuer, cap, reason, meaning }) =>
          html`<li key=${issuer}>
            <b>${visible(cut(issuer, 30))}</b>: no more than <b><bdi>${visible(cut(cap, 40))}</bdi></b
            >, <${Text} text=${reason} length=${80} />${meaning !== "" && html`: <${Text} text=${meaning} />`}
          </li>`,
      )}
    </ul>
  <//>`;
}
