/** The frame around every screen: navigation, search, what is wrong, and who is looking. */
/** @import { Me } from "../src/api.ts" */
/** @import { Route } from "./routes.mjs" */
import { useEffect, useState } from "preact/hooks";
import { KillOn } from "./action-buttons.mjs";
import { ActionDialog } from "./action-dialog.mjs";
import { loadMe, logOut } from "./api.mjs";
import { AuditScreen } from "./audit.mjs";
import { ChecksScreen } from "./checks.mjs";
import { DeadLettersScreen } from "./dead-letters.mjs";
import { Halted, isHalted, Partial, Pauses, Stale } from "./halted.mjs";
import { Help } from "./help.mjs";
import { html } from "./html.mjs";
import { Login } from "./login.mjs";
import { NowScreen } from "./now.mjs";
import { PlanScreen } from "./plan.mjs";
import { PlansScreen } from "./plans.mjs";
import { routeOf, SCREENS, searchFor } from "./routes.mjs";
import { Loading, Text } from "./shown.mjs";
import { dismiss, tell, update, useFreshness, useStore } from "./store.mjs";
import { SymbolScreen, SymbolsScreen } from "./symbols.mjs";
import { changeTheme } from "./theme.mjs";
import { cut, visible } from "./visible-text.mjs";

/** @param {{ onUser: (known: boolean, another: boolean) => void }} props as in main.mjs */
export function App({ onUser }) {
  const me = useStore((state) => state.me);
  const [logsIn, setLogsIn] = useState(false);
  const known = me !== undefined && (me.role ?? null) !== null;
  useEffect(() => {
    if (me !== undefined) onUser(known, false);
  }, [known, me?.user]);
  if (me === undefined) return html`<${Unanswered} />`;
  const done = () => {
    setLogsIn(false);
    onUser(true, true);
  };
  if (!known) return html`<${Login} me=${me} onDone=${done} />`;
  if (logsIn) return html`<${Login} me=${me} onDone=${done} onCancel=${() => setLogsIn(false)} />`;
  return html`<${Frame} me=${me} onLogIn=${() => setLogsIn(true)} onLogOut=${() => onUser(known, true)} />`;
}

const TRY_AGAIN_MS = 2_000;

/** Before the first answer. */
function Unanswered() {
  const [tries, setTries] = useState(0);
  useEffect(() => {
    const timer = setTimeout(() => void loadMe().then(() => setTries(tries + 1)), TRY_AGAIN_MS);
    return () => clearTimeout(timer);
  }, [tries]);
  if (tries === 0)
    return html`<main class="screen" id="main">
      <h1 class="sr">Quantum console</h1>
      <${Loading} rows=${6} />
    </main>`;
  return html`<main class="screen" id="main">
    <h1>The console does not answer</h1>
    <p role="alert">
      It is stopped, or the way to it is cut. The page tries again by itself. The pipeline does not depend on
      the console.
    </p>
  </main>`;
}

/** @param {{ me: Me, onLogIn: () => void, onLogOut: () => void }} props */
function Frame({ me, onLogIn, onLogOut }) {
  const route = useRoute();
  const now = useStore((state) => state.now);
  const heardMs = useStore((state) => state.heardMs);
  const freshness = useFreshness();
  const stale = freshness.state === "away" || freshness.state === "silent";
  const halted = isHalted(now);
  useEffect(() => {
    const screen = SCREENS.find(({ screen }) => screen === route.screen)?.title ?? "";
    document.title = `${halted ? "HALTED · " : ""}${route.id === "" ? "" : `${visible(cut(route.id, 24))} · `}${screen} · Quantum console`;
    document.querySelector("link[rel=icon]")?.setAttribute("href", halted ? "icon-halted.svg" : "icon.svg");
  }, [halted, route.screen, route.id]);
  return html`<a class="skip" href="#main" onClick=${toMain}>To the content</a>
    <div class=${halted ? "top is-halted" : "top"}>
      <header class="bar">
        <a class="brand" href="#/now" aria-label="Quantum console"
          ><img src="icon.svg" alt="" width="20" height="20" /><span>Quantum</span></a
        >
        <${Navigation} route=${route} deadLetters=${now?.deadLetters ?? 0} />
        <${Search} />
        <${Link} freshness=${freshness} />
        <${KillOn} />
        <${User} me=${me} onLogIn=${onLogIn} onLogOut=${onLogOut} />
      </header>
      ${now !== undefined && html`<${Halted} now=${now} />`}
    </div>
    <main class="screen" id="main" tabindex="-1" data-stale=${stale ? "" : undefined}>
      <${Stale} freshness=${freshness} now=${now} />
      ${now !== undefined && html`<${Partial} now=${now} />`}
      ${now !== undefined && html`<${Pauses} now=${now} heardMs=${heardMs} />`}
      <${Screen} route=${route} />
    </main>
    <footer class="bottom">
      <p>${me.noActions !== "" && html`<b>Read only.</b> <${Text} text=${me.noActions} length=${400} />`}</p>
      <p class="muted">
        All times are UTC.
        <button class="link" onClick=${() => update({ help: true })}>Keys <kbd>?</kbd></button> Build
        <span class="mono">${visible(cut(me.build, 60))}</span>
      </p>
    </footer>
    <${Notices} />
    <${ActionDialog} />
    <${Help} />`;
}

/** The address stays the screen's. @param {MouseEvent} event */
function toMain(event) {
  event.preventDefault();
  document.querySelector("main")?.focus();
}

function useRoute() {
  const [route, set] = useState(() => routeOf(location.hash));
  useEffect(() => {
    let before = routeOf(location.hash);
    const changed = () => {
      const next = routeOf(location.hash);
      const isAnother = next.screen !== before.screen || next.id !== before.id;
      before = next;
      set(next);
      // Another search stays where it was asked for.
      if (!isAnother) return;
      scrollTo(0, 0);
      // Whoever reads by keyboard or by ear begins with the new screen.
      document.querySelector("main")?.focus({ preventScroll: true });
    };
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return route;
}

/** @param {{ route: Route }} props */
function Screen({ route: { screen, id, query } }) {
  switch (screen) {
    case "plans":
      return id === "" ? html`<${PlansScreen} query=${query} />` : html`<${PlanScreen} id=${id} key=${id} />`;
    case "symbols":
      return id === "" ? html`<${SymbolsScreen} />` : html`<${SymbolScreen} id=${id} key=${id} />`;
    case "dead-letters":
      return html`<${DeadLettersScreen} query=${query} />`;
    case "audit":
      return html`<${AuditScreen} />`;
    case "checks":
      return html`<${ChecksScreen} />`;
    default:
      return html`<${NowScreen} />`;
  }
}

/** @param {{ route: Route, deadLetters: number }} props */
function Navigation({ route, deadLetters }) {
  return html`<nav aria-label="Screens">
    ${SCREENS.map(
      ({ screen, title, key }) =>
        html`<a
          key=${screen}
          href=${`#/${screen}`}
          aria-current=${route.screen === screen ? "page" : undefined}
          title=${`g ${key}`}
        >
          ${title}${screen === "dead-letters" && deadLetters > 0 && html`<i class="count" aria-hidden="true">${deadLetters}</i>`}
        </a>`,
    )}
  </nav>`;
}

function Search() {
  const symbols = useStore((state) => state.now?.symbols) ?? [];
  const [text, setText] = useState("");
  const meant = searchFor(
    text,
    symbols.map(({ symbol }) => symbol),
  );
  /** @param {SubmitEvent} event */
  const search = (event) => {
    event.preventDefault();
    if (meant === undefined) return;
    location.hash = meant.href;
    setText("");
    /** @type {HTMLFormElement} */ (event.currentTarget).querySelector("input")?.blur();
  };
  return html`<form class="search" role="search" onSubmit=${search}>
    <input
      id="search"
      type="search"
      aria-label="Search plans"
      placeholder="Plan id, symbol, reason"
      value=${text}
      autocomplete="off"
      spellcheck=${false}
      onInput=${(/** @type {InputEvent} */ event) => setText(/** @type {HTMLInputElement} */ (event.currentTarget).value)}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === "Escape" && /** @type {HTMLElement} */ (event.currentTarget).blur()}
    />
    <kbd aria-hidden="true">/</kbd>
    ${meant !== undefined && html`<p class="meant" role="status">Enter: <bdi>${visible(cut(meant.says, 60))}</bdi></p>`}
  </form>`;
}

const LINK = {
  connecting: ["busy", "connecting"],
  live: ["ok", "live"],
  away: ["bad", "stale"],
  silent: ["bad", "stale"],
};

/** @param {{ freshness: import("./freshness.mjs").Freshness }} props */
function Link({ freshness: { state } }) {
  const [tone, text] = LINK[state];
  return html`<span class="live" role="status"><span class=${`dot ${tone}`}></span>${text}</span>`;
}

/** @param {{ me: Me, onLogIn: () => void, onLogOut: () => void }} props */
function User({ me, onLogIn, onLogOut }) {
  const out = async () => {
    try {
      await logOut();
      onLogOut();
    } catch (error) {
      tell({
        kind: "failed",
        text: `You are still logged in: ${error instanceof Error ? error.message : String(error)}`,
      });
    }
  };
  return html`<div class="user">
    <button class="icon" aria-label="Theme" title="Light or dark (t)" onClick=${changeTheme}>
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <circle cx="8" cy="8" r="5.500" />
        <path class="half" d="M8 2.500a5.500 5.500 0 0 1 0 11z" />
      </svg>
    </button>
    ${
      me.user === undefined || me.user === null
        ? html`<span class="who" title=${visible(cut(me.noActions, 300))}><small>read only</small></span>
            <button onClick=${onLogIn}>Log in</button>`
        : html`<span class="who"><bdi>${visible(cut(me.user, 30))}</bdi> <small>${me.role}</small></span
            >${!me.byProxy && html`<button class="quiet" onClick=${out}>Log out</button>`}`
    }
  </div>`;
}

const DONE_SHOWN_MS = 12_000;

function Notices() {
  const notices = useStore((state) => state.notices);
  return html`<div class="notices">
    ${notices.map((notice, index) => html`<${NoticeOf} key=${index} notice=${notice} />`)}
  </div>`;
}

/** @param {{ notice: import("./store.mjs").Notice }} props */
function NoticeOf({ notice }) {
  useEffect(() => {
    // What failed stays until somebody has read it.
    if (notice.kind === "failed") return undefined;
    const timer = setTimeout(() => dismiss(notice), DONE_SHOWN_MS);
    return () => clearTimeout(timer);
  }, [notice]);
  return html`<div class=${`toast ${notice.kind}`} role=${notice.kind === "failed" ? "alert" : "status"}>
    <p><${Text} text=${notice.text} length=${500} /></p>
    <button class="icon" aria-label="Close" onClick=${() => dismiss(notice)}>
      <svg viewBox="0 0 16 16" aria-hidden="true"><path d="m4 4 8 8M12 4l-8 8" /></svg>
    </button>
  </div>`;
}
