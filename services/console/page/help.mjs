/** The keys that the page knows. */
import { useModal } from "./action-dialog.mjs";
import { html } from "./html.mjs";
import { SCREENS } from "./routes.mjs";
import { update, useStore } from "./store.mjs";

export function Help() {
  const open = useStore((state) => state.help);
  return open ? html`<${Keys} />` : null;
}

function Keys() {
  const dialog = useModal();
  const close = () => update({ help: false });
  const key = (/** @type {string} */ keys, /** @type {string} */ does) =>
    html`<div key=${keys}>
      <dt>${keys.split(" ").map((one) => html`<kbd key=${one}>${one}</kbd>`)}</dt>
      <dd>${does}</dd>
    </div>`;
  return html`<dialog ref=${dialog} aria-label="Keys" onClose=${close} class="help">
    <h2>Keys</h2>
    <dl>
      ${SCREENS.map(({ title, key: letter }) => key(`g ${letter}`, title))}
      ${key("/", "Search: a plan's id, a symbol, an outcome or a reason")} ${key("t", "Light or dark")}
      ${key("?", "This list")} ${key("Esc", "Closes a dialog; leaves the search or a chart")}
      ${key("← →", "In a chart: minute by minute")}
    </dl>
    <p class="muted">All times are UTC, by Redis's clock.</p>
    <div class="buttons"><button class="primary" onClick=${close}>Close</button></div>
  </dialog>`;
}
