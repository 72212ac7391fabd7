/** What `permitctl verify` checks. */
/** @import { Checks } from "../src/api.ts" */
/** @import { ApiError } from "./api.mjs" */
import { useState } from "preact/hooks";
import { useLoaded } from "./api.mjs";
import { plural } from "./format.mjs";
import { html } from "./html.mjs";
import { Failed, Loading, Table, Text } from "./shown.mjs";

export function ChecksScreen() {
  const [reload, setReload] = useState(0);
  const again = () => setReload((count) => count + 1);
  /** @type {{ value: Checks | undefined, error: ApiError | undefined, loading: boolean }} */
  const { value, error, loading } = useLoaded("verify", reload);
  const checks = value?.checks ?? [];
  const failed = checks.filter(({ ok }) => ok === false);
  // The service is on another host: it may be so or not.
  const unasked = checks.filter(({ ok }) => ok === null);
  return html`<div class="title">
      <h1>Checks</h1>
      ${
        value !== undefined &&
        html`<span class=${`badge ${badgeOf(failed.length, unasked.length)}`} role="status"
          >${summaryOf(failed.length, unasked.length)}</span
        >`
      }
      <button disabled=${loading} onClick=${again}>Check again</button>
    </div>
    <p class="muted lead">The same as <code>permitctl verify</code>: is what was deployed at work?</p>
    <${Failed} error=${error} onRetry=${again} />
    ${
      value === undefined
        ? error === undefined && html`<${Loading} rows=${8} />`
        : html`<${Table} label="Checks" head=${["Check", "Result", "Found"]}>
            ${[...failed, ...unasked, ...checks.filter(({ ok }) => ok === true)].map(
              ({ check, ok, found }) =>
                html`<tr key=${check}>
                  <th scope="row"><${Text} text=${check} length=${80} /></th>
                  <td class="nowrap">
                    <span class=${`dot ${ok === null ? "busy" : ok ? "ok" : "bad"}`}></span
                    >${ok === null ? "not asked" : ok ? "ok" : html`<span class="bad-text">failed</span>`}
                  </td>
                  <td class="words"><${Text} text=${found} /></td>
                </tr>`,
            )}
          <//>`
    }`;
}

/**
 * @param {number} failed
 * @param {number} unasked
 */
function badgeOf(failed, unasked) {
  if (failed > 0) return "bad";
  return unasked > 0 ? "warn" : "ok";
}

/**
 * @param {number} failed
 * @param {number} unasked
 */
function summaryOf(failed, unasked) {
  if (failed > 0) return `${plural(failed, "check")} failed`;
  return unasked > 0 ? `${unasked} not asked` : "ALL PASS";
}
