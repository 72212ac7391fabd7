/** Every change but the kill switch's on: what it will do, why, and what it has done. */
/** @import { Asked } from "./store.mjs" */
import { useEffect, useRef, useState } from "preact/hooks";
import { act, ApiError, preview as previewOf } from "./api.mjs";
import { html } from "./html.mjs";
import { Loading, Text } from "./shown.mjs";
import { tell, update, useStore } from "./store.mjs";

const CONFLICT = 409;

export function ActionDialog() {
  const asked = useStore((state) => state.asked);
  return asked === undefined
    ? null
    : html`<${Dialog} asked=${asked} key=${JSON.stringify([asked.name, asked.body])} />`;
}

/** @param {{ asked: Asked }} props */
function Dialog({ asked }) {
  const { name, title, button = title, body, danger, onDone } = asked;
  const dialog = useModal();
  const [preview, setPreview] = useState(
    /** @type {{ text: string, shown?: string } | undefined} */ (undefined),
  );
  const [error, setError] = useState(/** @type {ApiError | undefined} */ (undefined));
  const [doing, setDoing] = useState(false);
  const [reason, setReason] = useState("");

  const look = async () => {
    setError(undefined);
    try {
      setPreview(await previewOf(name, body));
    } catch (failed) {
      setError(asApiError(failed));
    }
  };
  useEffect(() => void look(), []);

  const close = () => update({ asked: undefined });
  /** @param {SubmitEvent} event */
  const submit = async (event) => {
    event.preventDefault();
    if (preview === undefined || reason.trim() === "" || doing) return;
    setDoing(true);
    setError(undefined);
    try {
      const shown = preview.shown === undefined ? {} : { shown: preview.shown };
      const { text } = await act(name, { ...body, ...shown, reason: reason.trim() });
      tell({ kind: "done", text });
      close();
      onDone?.();
    } catch (failed) {
      const refused = asApiError(failed);
      setError(refused);
      setDoing(false);
      // What was shown is no longer so: the operator decides by what is so now.
      if (refused.status === CONFLICT) setPreview(undefined);
    }
  };
  return html`<dialog ref=${dialog} aria-label=${title} onClose=${close} class=${danger ? "danger" : ""}>
    <form onSubmit=${submit}>
      <h2><bdi>${title}</bdi></h2>
      ${
        preview === undefined
          ? error === undefined && html`<${Loading} rows=${2} />`
          : html`<p class="preview"><${Text} text=${preview.text} length=${1_500} /></p>`
      }
      ${
        error !== undefined &&
        html`<div class="failed" role="alert">
          <p><${Text} text=${error.message} /></p>
          ${preview === undefined && html`<button type="button" onClick=${look}>Look again</button>`}
        </div>`
      }
      <label>
        <span>Reason</span>
        <textarea
          name="reason"
          rows="2"
          required
          maxlength="500"
          value=${reason}
          aria-describedby="reason-note"
          onInput=${(/** @type {InputEvent} */ event) => setReason(/** @type {HTMLTextAreaElement} */ (event.currentTarget).value)}
          onKeyDown=${(/** @type {KeyboardEvent} */ event) => {
            if (event.key === "Enter" && (event.ctrlKey || event.metaKey))
              /** @type {HTMLTextAreaElement} */ (event.currentTarget).form?.requestSubmit();
          }}
        ></textarea>
      </label>
      <p class="muted" id="reason-note">Required. The audit keeps it with your name.</p>
      <div class="buttons">
        <button type="button" onClick=${close}>Cancel</button>
        <button
          class=${danger ? "danger" : "primary"}
          disabled=${preview === undefined || reason.trim() === "" || doing}
          aria-busy=${doing}
        >
          ${doing ? "Doing it…" : button}
        </button>
      </div>
    </form>
  </dialog>`;
}

/** The browser keeps the focus within, gives it back afterwards, and Escape closes. */
export function useModal() {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => {
    const element = dialog.current;
    const before = document.activeElement;
    if (element?.open === false) element.showModal();
    element?.querySelector("textarea")?.focus();
    return () => before instanceof HTMLElement && before.focus();
  }, []);
  return dialog;
}

/** @param {unknown} error */
function asApiError(error) {
  return error instanceof ApiError ? error : new ApiError(String(error), 0);
}
