/** Entries that a group gave up: read, filter, put back, drop. */
/** @import { DeadLetterList } from "../src/api.ts" */
/** @import { Paged } from "./api.mjs" */
import { useState } from "preact/hooks";
import { useMayAct } from "./action-buttons.mjs";
import { usePaged } from "./api.mjs";
import { fieldsOf } from "./form-fields.mjs";
import { count, plural } from "./format.mjs";
import { html } from "./html.mjs";
import { hrefWith, SEARCHED_MAX_CHARS } from "./routes.mjs";
import { Copy, Empty, Failed, Fields, Loading, PlanLink, SearchLink, Table, Text, Time } from "./shown.mjs";
import { ask } from "./store.mjs";
import { cut, visible } from "./visible-text.mjs";

/** @typedef {DeadLetterList["rows"][number]} Letter */

/** @param {{ query: Readonly<Record<string, string>> }} props */
export function DeadLettersScreen({ query }) {
  const [reload, setReload] = useState(0);
  const [chosen, setChosen] = useState(/** @type {ReadonlySet<string>} */ (new Set()));
  const [open, setOpen] = useState("");
  const mayAct = useMayAct();
  const searched = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== ""));
  /** @type {Paged<DeadLetterList>} */
  const list = usePaged(`dead-letters${searched.size === 0 ? "" : `?${searched}`}`, reload);
  const again = () => {
    setChosen(new Set());
    setReload((before) => before + 1);
  };
  const { rows } = list;
  // A filter hides what was chosen before.
  const ids = rows.map(({ id }) => id).filter((id) => chosen.has(id));
  const choose = (/** @type {readonly string[]} */ some, /** @type {boolean} */ on) =>
    setChosen((before) => {
      const after = new Set(before);
      for (const id of some) {
        if (on) after.add(id);
        else after.delete(id);
      }
      return after;
    });
  const all = rows.length > 0 && ids.length === rows.length;
  const box = html`<input
    type="checkbox"
    aria-label="Choose all that are shown"
    checked=${all}
    indeterminate=${ids.length > 0 && !all}
    onChange=${() =>
      choose(
        rows.map(({ id }) => id),
        !all,
      )}
  />`;
  return html`<h1>Dead letters</h1>
    <${Filter} query=${query} rows=${rows} />
    <${Failed} error=${list.error} onRetry=${again} />
    ${mayAct && rows.length > 0 && html`<${Bulk} ids=${ids} onDone=${again} />`}
    ${
      rows.length > 0
        ? html`<${Table}
            label="Dead letters"
            class="letters"
            head=${[...(mayAct ? [box] : []), "UTC", "Stream", "Group", "Reason", html`<span class="sr">Details</span>`]}
          >
            ${rows.flatMap((letter) => letterRows(letter, { mayAct, chosen: chosen.has(letter.id), choose, open: open === letter.id, setOpen }))}
          <//>`
        : list.loading
          ? html`<${Loading} rows=${6} />`
          : list.error === undefined &&
            html`<${Empty}
              >${searched.size === 0 ? "No group has given up an entry." : "No dead letter fits."}<//
            >`
    }
    ${
      list.last !== undefined &&
      html`<p class="foot">
        ${list.last.next !== undefined && html`<button disabled=${list.loading} onClick=${list.more}>${list.loading ? "Loading…" : "Older"}</button>`}
        <span class="muted" role="status"
          >${count(rows.length)} shown of ${plural(list.last.total, "dead letter")}.</span
        >
      </p>`
    }`;
}

/** @param {{ ids: readonly string[], onDone: () => void }} props */
function Bulk({ ids, onDone }) {
  const what = plural(ids.length, "dead letter");
  const start = (/** @type {"requeue" | "drop"} */ name) =>
    ask({
      name,
      title: `${name === "drop" ? "Drop" : "Requeue"} ${what}`,
      body: { ids },
      danger: name === "drop",
      onDone,
    });
  return html`<div class="bulk">
    <span role="status"
      >${ids.length === 0 ? "Choose dead letters to requeue or drop them." : `${what} chosen`}</span
    >
    <button disabled=${ids.length === 0} onClick=${() => start("requeue")}>Requeue</button>
    <button class="danger" disabled=${ids.length === 0} onClick=${() => start("drop")}>Drop</button>
  </div>`;
}

/**
 * @param {Letter} letter
 * @param {{ mayAct: boolean, chosen: boolean, choose: (ids: readonly string[], on: boolean) => void, open: boolean, setOpen: (id: string) => void }} table
 */
function letterRows(letter, { mayAct, chosen, choose, open, setOpen }) {
  const { id, atMs, stream, group, reason, fields } = letter;
  const planId = fields["entry.plan_id"] ?? fields["plan_id"] ?? "";
  return [
    html`<tr key=${id} class=${chosen ? "chosen" : ""}>
      ${
        mayAct &&
        html`<td>
          <input
            type="checkbox"
            aria-label=${`Choose ${id}`}
            checked=${chosen}
            onChange=${() => choose([id], !chosen)}
          />
        </td>`
      }
      <td class="mono nowrap"><${Time} ms=${atMs} /></td>
      <td><${Text} text=${stream} length=${60} /></td>
      <td>
        <${SearchLink} screen="dead-letters" field="group" text=${group} length=${40} />
      </td>
      <td class="words">
        <${SearchLink} screen="dead-letters" field="reason" text=${reason} length=${160} />
        ${planId !== "" && html` <${PlanLink} id=${planId} />`}
      </td>
      <td class="number">
        <button class="link" aria-expanded=${open} onClick=${() => setOpen(open ? "" : id)}>
          ${open ? "Hide" : "Show"}<span class="sr"> ${id}</span>
        </button>
      </td>
    </tr>`,
    open &&
      html`<tr key=${`${id} open`} class="opened">
        <td colspan=${mayAct ? 6 : 5}>
          <p class="muted">
            Dead letter <span class="mono">${visible(id)}</span><${Copy} text=${id} what="id" />
          </p>
          <${Fields} fields=${fields} />
        </td>
      </tr>`,
  ];
}

/** @param {{ query: Readonly<Record<string, string>>, rows: readonly Letter[] }} props */
function Filter({ query, rows }) {
  /** @param {SubmitEvent} event */
  const search = (event) => {
    const text = fieldsOf(event);
    location.hash = hrefWith("dead-letters", {
      stream: text("stream"),
      group: text("group"),
      reason: text("reason"),
    });
  };
  const names = /** @type {const} */ (["stream", "group", "reason"]);
  return html`<form class="filter" onSubmit=${search} key=${JSON.stringify(query)}>
    ${names.map(
      (name) =>
        html`<label key=${name}
          >${`${name[0]?.toUpperCase()}${name.slice(1)}`}
          <input
            name=${name}
            list=${`of-${name}`}
            defaultValue=${query[name] ?? ""}
            size=${name === "reason" ? 28 : 18}
            maxlength=${SEARCHED_MAX_CHARS}
            autocomplete="off"
            spellcheck=${false}
          />
          <datalist id=${`of-${name}`}>
            ${[...new Set(rows.map((row) => row[name]))].slice(0, 30).map((value) => html`<option key=${value} value=${cut(value, SEARCHED_MAX_CHARS)} />`)}
          </datalist>
        </label>`,
    )}
    <div class="buttons">
      <button class="primary">Filter</button><a class="button" href="#/dead-letters">Clear</a>
    </div>
  </form>`;
}
