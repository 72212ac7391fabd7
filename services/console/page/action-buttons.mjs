/** What an operator can change. Where there are no actions for this user, there are no buttons. */
import { useState } from "preact/hooks";
import { act } from "./api.mjs";
import { isSurelyHalted } from "./freshness.mjs";
import { html } from "./html.mjs";
import { ask, tell, useFreshness, useStore } from "./store.mjs";
import { cut, visible } from "./visible-text.mjs";

export function useMayAct() {
  const me = useStore((state) => state.me);
  return me?.role === "operator" && me.noActions === "";
}

/** The only change without a question: whoever needs it has no time. */
export function KillOn() {
  const mayAct = useMayAct();
  const now = useStore((state) => state.now);
  const freshness = useFreshness();
  const [turning, setTurning] = useState(false);
  if (!mayAct || isSurelyHalted(now, freshness)) return null;
  const turnOn = async () => {
    setTurning(true);
    try {
      const { text } = await act("kill-on", {});
      tell({ kind: "done", text });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      tell({
        kind: "failed",
        text: `It is not known that the kill switch is on: ${why} Try again, or run: permitctl kill on`,
      });
    } finally {
      setTurning(false);
    }
  };
  return html`<button class="kill" disabled=${turning} aria-busy=${turning} onClick=${turnOn}>
    <svg viewBox="0 0 16 16" aria-hidden="true"><path d="M8 1.5v6M4.200 3.600a6 6 0 1 0 7.600 0" /></svg>Kill
    switch on
  </button>`;
}

export function KillOff() {
  if (!useMayAct()) return null;
  return html`<button onClick=${() => ask({ name: "kill-off", title: "Kill switch off", body: {} })}>
    Kill switch off
  </button>`;
}

export function ClearDisarm() {
  if (!useMayAct()) return null;
  return html`<button onClick=${() => ask({ name: "disarm-clear", title: "Clear disarm", body: {} })}>
    Clear disarm
  </button>`;
}

export function EndPause() {
  if (!useMayAct()) return null;
  return html`<button onClick=${() => ask({ name: "exchange-resume", title: "End pause", body: {} })}>
    End pause
  </button>`;
}

/** @param {{ symbol: string, onDone?: () => void }} props */
export function AcceptHold({ symbol, onDone }) {
  if (!useMayAct()) return null;
  const title = `Accept hold of ${visible(cut(symbol, 40))}`;
  return html`<button
    onClick=${() => ask({ name: "hold-accept", title, button: "Accept hold", body: { symbol }, ...(onDone && { onDone }) })}
  >
    Accept hold
  </button>`;
}

/**
 * Operators' plans are used once.
 *
 * @param {{ planId: string, class: string, onDone: () => void }} props
 */
export function ForcePlan({ planId, class: kind, onDone }) {
  if (!useMayAct() || kind !== "") return null;
  const title = `Force plan ${visible(cut(planId, 40))}`;
  return html`<button
    onClick=${() => ask({ name: "force", title, button: "Force", body: { planId }, onDone })}
  >
    Force
  </button>`;
}
