/** Who are you: a password, or why there is none to give. */
/** @import { Me } from "../src/api.ts" */
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, logIn } from "./api.mjs";
import { html } from "./html.mjs";
import { Text } from "./shown.mjs";

/** @param {InputEvent} event */
const valueOf = (event) => /** @type {HTMLInputElement} */ (event.currentTarget).value;

/** @param {{ me: Me, onDone: () => void, onCancel?: () => void }} props */
export function Login({ me, onDone, onCancel }) {
  const [error, setError] = useState("");
  const [waitSec, setWaitSec] = useState(0);
  const [asking, setAsking] = useState(false);
  const [user, setUser] = useState("");
  const [password, setPassword] = useState("");
  const passwordBox = useRef(/** @type {HTMLInputElement | null} */ (null));
  useEffect(() => {
    if (waitSec <= 0) return undefined;
    const timer = setTimeout(() => setWaitSec(waitSec - 1), 1_000);
    return () => clearTimeout(timer);
  }, [waitSec]);
  /** @param {SubmitEvent} event */
  const submit = async (event) => {
    event.preventDefault();
    setAsking(true);
    setError("");
    try {
      await logIn(user, password);
      onDone();
    } catch (failed) {
      setError(failed instanceof Error ? failed.message : String(failed));
      if (failed instanceof ApiError && failed.retryAfterSec !== undefined)
        setWaitSec(Math.ceil(failed.retryAfterSec));
      setPassword("");
      passwordBox.current?.focus();
    } finally {
      setAsking(false);
    }
  };
  return html`<main class="login" id="main">
    <form onSubmit=${submit} aria-labelledby="login-title">
      <p class="brand"><img src="icon.svg" alt="" width="28" height="28" /> Quantum console</p>
      <h1 id="login-title">Log in</h1>
      ${me.noActions !== "" && html`<p class="muted"><${Text} text=${me.noActions} length=${600} /></p>`}
      <label>
        User
        <input
          name="user"
          value=${user}
          onInput=${(/** @type {InputEvent} */ event) => setUser(valueOf(event))}
          autocomplete="username"
          autocapitalize="none"
          spellcheck=${false}
          required
          autofocus
        />
      </label>
      <label>
        Password
        <input
          name="password"
          type="password"
          ref=${passwordBox}
          value=${password}
          onInput=${(/** @type {InputEvent} */ event) => setPassword(valueOf(event))}
          autocomplete="current-password"
          required
        />
      </label>
      ${error !== "" && html`<p class="failed" role="alert"><${Text} text=${error} length=${400} /></p>`}
      <div class="buttons">
        ${onCancel !== undefined && html`<button type="button" onClick=${onCancel}>Cancel</button>`}
        <button class="primary" disabled=${asking || waitSec > 0}>
          ${waitSec > 0 ? `Wait ${waitSec} s` : "Log in"}
        </button>
      </div>
      <p class="muted small">
        No user yet, or a forgotten password: <code>permitctl console user add NAME --role operator</code> on
        the console's host.
      </p>
    </form>
  </main>`;
}
