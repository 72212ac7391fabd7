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
  const failed = checks.filter(({ ok }) => !ok);
  return html`<div class="title">
      <h1>Checks</h1>
      ${
        value !== undefined &&
        html`<span class=${`badge ${failed.length === 0 ? "ok" : "bad"}`} role="status"
          >${failed.length === 0 ? "ALL PASS" : `${plural(failed.length, "check")} failed`}</span
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
            ${[...failed, ...checks.filter(({ ok }) => ok)].map(
              ({ check, ok, found }) =>
                html`<tr key=${check}>
                  <th scope="row"><${Text} text=${check} length=${80} /></th>
                  <td class="nowrap">
                    <span class=${`dot ${ok ? "ok" : "bad"}`}></span
                    >${ok ? "ok" : html`<span class="bad-text">failed</span>`}
                  </td>
                  <td class="words"><${Text} text=${found} /></td>
                </tr>`,
            )}
          <//>`
    }`;
}
