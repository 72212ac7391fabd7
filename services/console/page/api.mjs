/** The server's answers, and what to say when there are none. */
/** @import { ActionName, Done, Me, Refused } from "../src/api.ts" */
import { useEffect, useRef, useState } from "preact/hooks";
import { hearNow, stateNow, update, useStore } from "./store.mjs";

const ANSWER_WITHIN_MS = 10_000;
/** `hold-accept` waits for position-brain, up to 30 s. */
const ACTION_WITHIN_MS = 45_000;
/** Whoever halts is told soon that it is not known whether that worked, and can do it in another way. */
const KILL_WITHIN_MS = 5_000;

/** What it says is for an operator. */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {number} status 0: no answer
   * @param {number} [retryAfterSec]
   */
  constructor(message, status, retryAfterSec) {
    super(message);
    this.status = status;
    this.retryAfterSec = retryAfterSec;
  }
}

/**
 * @param {string} path below `api/`
 * @param {RequestInit} [init]
 * @param {number} [withinMs]
 * @returns {Promise<any>}
 */
async function request(path, init = {}, withinMs = ANSWER_WITHIN_MS) {
  let response;
  try {
    response = await fetch(`api/${path}`, { ...init, signal: AbortSignal.timeout(withinMs) });
  } catch (error) {
    throw new ApiError(noAnswer(error, withinMs), 0);
  }
  if (response.ok) return response.json();
  const refused = /** @type {Partial<Refused>} */ (await response.json().catch(() => ({})));
  const { status } = response;
  // The session has ended: the page asks who we are, and shows the login.
  if (status === 401 && path !== "login") void loadMe();
  const retryAfter = Number(response.headers.get("retry-after") ?? Number.NaN);
  throw new ApiError(
    refused.error ?? `The console answered ${status}.`,
    status,
    Number.isFinite(retryAfter) ? retryAfter : undefined,
  );
}

/**
 * @param {unknown} error
 * @param {number} withinMs
 */
function noAnswer(error, withinMs) {
  if (error instanceof DOMException && error.name === "TimeoutError")
    return `The console has not answered within ${withinMs / 1_000} s.`;
  return "The console does not answer: it is stopped, or the way to it is cut.";
}

/** @param {string} path */
export const get = (path) => request(path);

/**
 * @param {string} path
 * @param {object} body
 * @param {number} [withinMs]
 */
function post(path, body, withinMs) {
  const csrf = stateNow().me?.csrf;
  return request(
    path,
    {
      method: "POST",
      headers: { "content-type": "application/json", ...(csrf !== undefined && { "x-csrf-token": csrf }) },
      body: JSON.stringify(body),
    },
    withinMs,
  );
}

/**
 * What was changed is shown at once, without waiting for the next event.
 *
 * @param {ActionName} name
 * @param {object} body
 * @returns {Promise<Done>}
 */
export async function act(name, body) {
  const done = await post(`actions/${name}`, body, name === "kill-on" ? KILL_WITHIN_MS : ACTION_WITHIN_MS);
  // If it fails, the events tell it a little later.
  get("now").then(hearNow, () => {});
  return done;
}

/**
 * What the action would do. Changes nothing.
 *
 * @param {ActionName} name
 * @param {object} body
 * @returns {Promise<Done>}
 */
export const preview = (name, body) => post(`actions/${name}`, { ...body, preview: true });

/** @returns {Promise<void>} */
export async function loadMe() {
  try {
    update({ me: /** @type {Me} */ (await get("me")) });
  } catch {
    // The page says by itself that the console does not answer; it asks again when the stream is back.
  }
}

/**
 * @param {string} user
 * @param {string} password
 */
export async function logIn(user, password) {
  update({ me: /** @type {Me} */ (await post("login", { user, password })) });
}

export async function logOut() {
  await post("logout", {});
  await loadMe();
}

/**
 * What could not be read while Redis or the console was away is read once they are back.
 *
 * @param {boolean} failed
 * @returns {number} another number after each return
 */
function useReturns(failed) {
  const reachable = useStore((state) => state.connected && state.now?.away === undefined);
  const [returns, set] = useState(0);
  const before = useRef(reachable);
  useEffect(() => {
    if (failed && reachable && !before.current) set(returns + 1);
    before.current = reachable;
  }, [reachable]);
  return returns;
}

/**
 * Loads what a screen shows. An older answer never replaces a newer one.
 *
 * @template T
 * @param {string} path
 * @param {number} [reload] another number loads again
 * @returns {{ value: T | undefined, error: ApiError | undefined, loading: boolean }}
 */
export function useLoaded(path, reload = 0) {
  const [seen, set] = useState(
    /** @type {{ path: string, value?: T, error?: ApiError, loading: boolean }} */ ({ path, loading: true }),
  );
  const returns = useReturns(seen.error !== undefined);
  useEffect(() => {
    let current = true;
    // What was there stays while the same is loaded again.
    set((before) => (before.path === path ? { ...before, loading: true } : { path, loading: true }));
    get(path).then(
      (value) => current && set({ path, value, loading: false }),
      (error) =>
        current && set((before) => ({ ...(before.path === path && before), path, error, loading: false })),
    );
    return () => {
      current = false;
    };
  }, [path, reload, returns]);
  const { value, error, loading } =
    seen.path === path ? seen : { value: undefined, error: undefined, loading: true };
  return { value, error, loading };
}

/** What is read again because something has happened is read again no more often than this. */
const PAUSE_MS = 1_000;

/**
 * @param {string} sign of what the event stream tells; when it changes, there is something new to read
 * @returns {[reload: number, again: () => void]} for {@link useLoaded}
 */
export function useReload(sign) {
  const [reload, set] = useState(0);
  const last = useRef({ sign, atMs: 0 });
  const again = () => set((count) => count + 1);
  useEffect(() => {
    if (last.current.sign === sign) return undefined;
    const pauseMs = last.current.atMs + PAUSE_MS - performance.now();
    const timer = setTimeout(
      () => {
        last.current = { sign, atMs: performance.now() };
        again();
      },
      Math.max(0, pauseMs),
    );
    return () => clearTimeout(timer);
  }, [sign]);
  return [reload, again];
}

/**
 * @template {{ rows: readonly unknown[], next: string | undefined }} L
 * @typedef {{ rows: L["rows"], last: L | undefined, error: ApiError | undefined, loading: boolean, more: () => void }} Paged
 */

/**
 * A list that is loaded page by page: `more` gets the next one.
 *
 * @template {{ rows: readonly unknown[], next: string | undefined }} L
 * @param {string} path without a cursor
 * @param {number} [reload]
 * @returns {Paged<L>}
 */
export function usePaged(path, reload = 0) {
  const [list, set] = useState(
    /** @type {Omit<Paged<L>, "more"> & { key: string }} */ ({
      key: "",
      rows: [],
      last: undefined,
      error: undefined,
      loading: true,
    }),
  );
  const returns = useReturns(list.error !== undefined);
  const key = `${path} ${reload} ${returns}`;
  /** @param {string} cursor */
  const load = async (cursor) => {
    const joint = path.includes("?") ? "&" : "?";
    const at = cursor === "" ? path : `${path}${joint}cursor=${encodeURIComponent(cursor)}`;
    try {
      const last = /** @type {L} */ (await get(at));
      set((before) =>
        before.key === key
          ? {
              key,
              rows: cursor === "" ? last.rows : [...before.rows, ...last.rows],
              last,
              error: undefined,
              loading: false,
            }
          : before,
      );
    } catch (error) {
      set((before) =>
        before.key === key ? { ...before, error: /** @type {ApiError} */ (error), loading: false } : before,
      );
    }
  };
  useEffect(() => {
    set((before) => ({
      key,
      rows: before.key.startsWith(`${path} `) ? before.rows : [],
      last: undefined,
      error: undefined,
      loading: true,
    }));
    void load("");
  }, [key]);
  const more = () => {
    const next = list.last?.next;
    if (next === undefined || list.loading) return;
    set((before) => ({ ...before, loading: true }));
    void load(next);
  };
  return list.key === key
    ? { ...list, more }
    : { rows: [], last: undefined, error: undefined, loading: true, more };
}
