/**
 * By which names the tests find things on the console's page: those that a screen reader says. The page gives them, and
 * the tests look for nothing else, so a page that changes its looks changes no test.
 */

/** The screens of the navigation, by their link's name: where it leads. Each has a level-1 heading of that name. */
export const SCREENS = {
  Now: "#/now",
  Plans: "#/plans",
  "Dead letters": "#/dead-letters",
  Symbols: "#/symbols",
  Audit: "#/audit",
  Checks: "#/checks",
} as const;

export type Screen = keyof typeof SCREENS;

/** Its heading of level 1 is `Plan <id>`. */
export const planHash = (planId: string) => `#/plans/${planId}`;
/** Its heading of level 1 is the symbol. */
export const symbolHash = (symbol: string) => `#/symbols/${symbol}`;

/** `role=navigation`. */
export const NAVIGATION = "Screens";

/** What the login page has: a heading, two text boxes and a button; elsewhere, once logged in, the last. */
export const LOGIN = {
  heading: "Log in",
  user: "User",
  password: "Password",
  submit: "Log in",
  out: "Log out",
};

/** Buttons. Those of changes other than kill-on open a dialog; where there are no actions they are not on the page. */
export const BUTTONS = {
  killOn: "Kill switch on",
  killOff: "Kill switch off",
  disarmClear: "Clear disarm",
  exchangeResume: "End pause",
  holdAccept: "Accept hold",
  force: "Force",
  requeue: "Requeue",
  drop: "Drop",
  /** Changes between light and dark. */
  theme: "Theme",
};

/** Of a text that was cut. */
export const SHOW_ALL = "Show all";

/** `role=dialog` of an action: its preview, a text box of this name, and its only submit button. */
export const DIALOG = { reason: "Reason", cancel: "Cancel" };

/** Regions (`<section aria-label>`): the first three on every screen, while they have something to say; the others on Now. */
export const REGIONS = {
  /** Says since when there is no answer; everything else is then marked stale. */
  away: "Redis does not answer",
  halted: "Halted",
  pause: "Exchange pause",
  /** Closes that are not fulfilled, the operators' exit, the last OK and BLOCK, dead letters, durability. */
  glance: "At a glance",
  verdicts: "Last verdicts",
  waiting: "Waiting plans",
  ended: "As they end",
  waits: "Waits of the last hour",
  reasons: "Block reasons",
  doubts: "Doubts and holds",
  limits: "Limits",
  services: "Services",
};

/** `role=img`, for each attempt of a plan. */
export const TIMELINE = /^Timeline/;
