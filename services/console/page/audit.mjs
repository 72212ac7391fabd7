/** Who changed what, when and why. */
/** @import { AuditList } from "../src/api.ts" */
/** @import { Paged } from "./api.mjs" */
import { useState } from "preact/hooks";
import { usePaged } from "./api.mjs";
import { html } from "./html.mjs";
import { Copy, Empty, Failed, Loading, Table, Text, Time } from "./shown.mjs";

export function AuditScreen() {
  const [reload, setReload] = useState(0);
  /** @type {Paged<AuditList>} */
  const list = usePaged("audit", reload);
  const again = () => setReload((count) => count + 1);
  return html`<div class="title">
      <h1>Audit</h1>
      <button onClick=${again}>Load again</button>
    </div>
    <${Failed} error=${list.error} onRetry=${again} />
    ${
      list.rows.length > 0
        ? html`<${Table}
            label="Audit"
            class="audit"
            head=${["UTC", "Who", "Action", "Target", "Reason", "Detail"]}
          >
            ${list.rows.map(
              ({ id, atMs, action, target, who, reason, detail }) =>
                html`<tr key=${id}>
                  <td class="mono nowrap"><${Time} ms=${atMs} /></td>
                  <td class="name"><${Text} text=${who} length=${60} /></td>
                  <th scope="row"><${Text} text=${action} length=${40} /></th>
                  <td class="mono">
                    <${Text}
                      text=${target}
                      length=${60}
                    />${target !== "" && html`<${Copy} text=${target} what="target" />`}
                  </td>
                  <td class="words"><${Text} text=${reason} length=${300} /></td>
                  <td class="words muted"><${Text} text=${detail} length=${160} /></td>
                </tr>`,
            )}
          <//>`
        : list.loading
          ? html`<${Loading} rows=${6} />`
          : list.error === undefined && html`<${Empty}>No operator has changed anything.<//>`
    }
    ${
      list.last?.next !== undefined &&
      html`<p class="foot">
        <button disabled=${list.loading} onClick=${list.more}>${list.loading ? "Loading…" : "Older"}</button>
      </p>`
    }`;
}
