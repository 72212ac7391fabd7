/** Starts the page: who is looking, the event stream that the tabs share, and the keys. */
import { render } from "preact";
import { loadMe } from "./api.mjs";
import { App } from "./app.mjs";
import { html } from "./html.mjs";
import { hrefOf, SCREENS } from "./routes.mjs";
import { SharedStream } from "./shared-stream.mjs";
import { hearEnded, hearNow, stateNow, update } from "./store.mjs";
import { changeTheme } from "./theme.mjs";

/** Ours is one of several consoles at most, each with a port of its own; an origin has its own channels and locks. */
const CHANNEL = "quantum-console";
/** After `g`, the screen's letter. */
const SECOND_KEY_WITHIN_MS = 1_500;

/** @type {SharedStream | undefined} */
let stream;

function startStream() {
  const channel = new BroadcastChannel(CHANNEL);
  return new SharedStream({
    tab: String(Math.random()),
    // Only https and loopback addresses have locks.
    locks: navigator.locks,
    channel: {
      post: (message) => channel.postMessage(message),
      listen: (listener) => channel.addEventListener("message", ({ data }) => listener(data)),
    },
    openSource: ({ onEvent, onOpen, onError }) => {
      const source = new EventSource("api/events");
      source.addEventListener("open", onOpen);
      source.addEventListener("error", () => onError(source.readyState === EventSource.CLOSED));
      for (const name of ["now", "ended"]) source.addEventListener(name, ({ data }) => onEvent(name, data));
      return source;
    },
    timers: { set: (action, ms) => setTimeout(action, ms), clear: (timer) => clearTimeout(timer) },
    onEvent: (name, text) => (name === "now" ? hearNow(JSON.parse(text)) : hearEnded(JSON.parse(text))),
    onConnected: (connected) => {
      update({ connected });
      // Whoever we were: the console may have been started again in between.
      if (connected && stateNow().heardMs !== undefined) void loadMe();
    },
    onOtherUser: () => void loadMe(),
  });
}

/**
 * @param {boolean} known somebody is logged in, or may look without it
 * @param {boolean} another this tab has logged in or out
 */
function onUser(known, another) {
  if (another) stream?.restart();
  if (!known) stream?.stop();
  else if (stream === undefined) stream = startStream();
  else stream.start();
}

document.addEventListener("visibilitychange", () => {
  if (stream === undefined || stream.hasLocks) return;
  if (document.hidden) stream.stop();
  else stream.start();
});

let afterG = 0;

/** @param {KeyboardEvent} event */
function onKey(event) {
  const { key, target, ctrlKey, metaKey, altKey } = event;
  const types = target instanceof HTMLElement && target.matches("input, textarea, select, [contenteditable]");
  if (types || ctrlKey || metaKey || altKey || document.querySelector("dialog[open]") !== null) return;
  const screen =
    performance.now() - afterG < SECOND_KEY_WITHIN_MS
      ? SCREENS.find((candidate) => candidate.key === key)
      : undefined;
  afterG = key === "g" ? performance.now() : 0;
  if (screen !== undefined) location.hash = hrefOf(screen.screen);
  else if (key === "/") document.getElementById("search")?.focus();
  else if (key === "?") update({ help: true });
  else if (key === "t") changeTheme();
  else return;
  event.preventDefault();
}

addEventListener("keydown", onKey);
const root = /** @type {HTMLElement} */ (document.getElementById("app"));
// Preact would leave the text that it is being loaded.
root.replaceChildren();
render(html`<${App} onUser=${onUser} />`, root);
await loadMe();
