/** Several tabs of one browser: the locks and the channel are the browser's, without its threads. */
import { beforeEach, describe, expect, it } from "vitest";
import { SILENT_MS } from "../page/freshness.mjs";
import { SharedStream } from "../page/shared-stream.mjs";

type Ports = ConstructorParameters<typeof SharedStream>[0];
type Message = Parameters<Ports["channel"]["post"]>[0];
type Listener = Parameters<Ports["openSource"]>[0];

/** A lock as Web Locks have it: waiting requests, and theft. */
class Locks {
  held: { release: () => void; reject: (error: Error) => void } | undefined;
  #queue: (() => void)[] = [];

  request(
    _name: string,
    { steal = false }: { steal?: boolean },
    hold: () => Promise<void>,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const grant = () => {
        const release = () => {
          if (this.held !== holder) return;
          this.held = undefined;
          this.#queue.shift()?.();
        };
        const holder = { release, reject };
        this.held = holder;
        void hold().then(() => {
          release();
          resolve(undefined);
          return undefined;
        });
      };
      if (steal) {
        this.held?.reject(new Error("stolen"));
        grant();
      } else if (this.held === undefined) grant();
      else this.#queue.push(grant);
    });
  }
}

let locks: Locks;
let members: { tab: string; listener: (message: Message) => void }[];
let timers: { at: number; action: () => void }[];
let nowMs: number;

beforeEach(() => {
  locks = new Locks();
  members = [];
  timers = [];
  nowMs = 0;
});

function pass(ms: number): void {
  const end = nowMs + ms;
  for (;;) {
    const next = timers.filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)[0];
    if (next === undefined) break;
    nowMs = next.at;
    timers = timers.filter((timer) => timer !== next);
    next.action();
  }
  nowMs = end;
}

class Tab {
  readonly heard: string[] = [];
  readonly sources: (Listener & { closed: boolean })[] = [];
  connected = false;
  asked = 0;
  /** Frozen by the browser: its timers and events do not run, its lock stays. */
  frozen = false;
  readonly stream: SharedStream;

  readonly name: string;

  constructor(name: string, withLocks = true) {
    this.name = name;
    const post = (message: Message) => {
      if (this.frozen) return;
      for (const { tab, listener } of members) if (tab !== name) listener(structuredClone(message));
    };
    this.stream = new SharedStream({
      tab: name,
      locks: withLocks ? locks : undefined,
      channel: {
        post,
        listen: (listener) =>
          members.push({ tab: name, listener: (message) => this.frozen || listener(message) }),
      },
      openSource: (listener) => {
        const source = { ...listener, closed: false };
        this.sources.push(source);
        return { close: () => (source.closed = true) };
      },
      timers: {
        set: (action, ms) => {
          const timer = { at: nowMs + ms, action: () => this.frozen || action() };
          timers.push(timer);
          return timer;
        },
        clear: (timer) => (timers = timers.filter((other) => other !== timer)),
      },
      onEvent: (event, text) => this.heard.push(`${event} ${text}`),
      onConnected: (connected) => (this.connected = connected),
      onOtherUser: () => this.asked++,
    });
  }

  get source() {
    return this.sources.findLast(({ closed }) => !closed);
  }
}

const open = () => [new Tab("a"), new Tab("b"), new Tab("c")] as const;
const streams = (tabs: readonly Tab[]) =>
  tabs.filter(({ source }) => source !== undefined).map(({ name }) => name);
/** Promises that wait for nothing outside have run. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("ten tabs", () => {
  it("open one stream, and all hear it", () => {
    const tabs = Array.from({ length: 10 }, (_, index) => new Tab(String(index)));
    expect(streams(tabs)).toEqual(["0"]);
    tabs[0]?.source?.onOpen();
    tabs[0]?.source?.onEvent("now", "1");
    for (const tab of tabs) {
      expect(tab.heard).toEqual(["now 1"]);
      expect(tab.connected).toBe(true);
    }
  });
});

describe("a tab that is opened later", () => {
  it("is told at once what the others know, and they are not told again", () => {
    const first = new Tab("a");
    first.source?.onOpen();
    first.source?.onEvent("ended", "x");
    first.source?.onEvent("now", "1");
    const second = new Tab("b");
    expect(second.heard).toEqual(["ended x", "now 1"]);
    const third = new Tab("c");
    expect(third.heard).toEqual(["ended x", "now 1"]);
    expect(second.heard).toHaveLength(2);
  });
});

describe("the tab that reads", () => {
  it("is followed by another one when it is closed", () => {
    const [a, b, c] = open();
    a.source?.onEvent("now", "1");
    locks.held?.release();
    expect(streams([b, c])).toEqual(["b"]);
    b.source?.onEvent("now", "2");
    expect(c.heard).toEqual(["now 1", "now 2"]);
  });

  it("loses the lock to another one when it is frozen, and reads no more when it wakes up", async () => {
    const [a, b, c] = open();
    a.source?.onEvent("now", "1");
    a.frozen = true;
    pass(SILENT_MS + 1);
    await settled();
    const readers = streams([b, c]);
    expect(readers).toHaveLength(1);
    a.frozen = false;
    await settled();
    expect(streams([a, b, c])).toEqual(readers);
    const reader = [b, c].find(({ source }) => source !== undefined);
    reader?.source?.onEvent("now", "2");
    expect([a, b, c].map(({ heard }) => heard.at(-1))).toEqual(["now 2", "now 2", "now 2"]);
  });

  it("opens the stream again when nothing comes from it", () => {
    const tab = new Tab("a");
    tab.source?.onOpen();
    tab.source?.onEvent("now", "1");
    pass(SILENT_MS + 1);
    expect(tab.sources.map(({ closed }) => closed)).toEqual([true, false]);
  });

  it("tries again when the server has refused it, and asks who is logged in", () => {
    const tab = new Tab("a");
    const other = new Tab("b");
    tab.source?.onOpen();
    tab.source?.onError(true);
    expect(tab.asked).toBe(1);
    expect(other.connected).toBe(false);
    pass(2_000);
    expect(tab.sources).toHaveLength(2);
  });

  it("leaves it to the browser where that tries again by itself", () => {
    const tab = new Tab("a");
    tab.source?.onError(false);
    pass(3_000);
    expect(tab.sources).toHaveLength(1);
  });
});

describe("another user", () => {
  it("gets another stream, whichever tab was logged in, and every tab asks who it is", () => {
    const [a, b, c] = open();
    b.stream.restart();
    expect(a.sources.map(({ closed }) => closed)).toEqual([true, false]);
    expect([a.asked, b.asked, c.asked]).toEqual([1, 0, 1]);
  });

  it("is waited for without a stream, and without tabs that take the lock from each other", () => {
    const [a, b, c] = open();
    for (const tab of [a, b, c]) tab.stream.stop();
    pass(10 * SILENT_MS);
    expect(streams([a, b, c])).toEqual([]);
    expect(a.sources).toHaveLength(1);
    c.stream.restart();
    expect(streams([a, b, c])).toEqual(["a"]);
  });
});

describe("without locks", () => {
  it("each tab reads for itself while it is seen", () => {
    const tabs = [new Tab("a", false), new Tab("b", false)];
    expect(streams(tabs)).toEqual(["a", "b"]);
    tabs[0]?.source?.onEvent("now", "1");
    expect(tabs[1]?.heard).toEqual([]);
    tabs[1]?.stream.stop();
    expect(streams(tabs)).toEqual(["a"]);
    tabs[1]?.stream.start();
    expect(streams(tabs)).toEqual(["a", "b"]);
  });
});
