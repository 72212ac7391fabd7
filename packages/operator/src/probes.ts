/** What services say of themselves by HTTP: whether they are ready, and which build runs. */
import { hostname } from "node:os";
import type { Build } from "@quantum/service-kit";
import { z } from "zod";

const PROBE_DEADLINE_MS = 1_000;

export interface Probe {
  ready: boolean;
  /** Null if it did not say. */
  build: Build | null;
  problems: string[];
  /** What it remarks besides, such as that it stands by; "" if nothing. */
  note: string;
}

/** What was found at an address. */
export interface Answer {
  url: string;
  /** Undefined if it did not say. */
  instance: string | undefined;
  probe: Probe;
}

const LOOPBACK = new Set(["localhost", "127.0.0.1", "::1"]);

/** Asks a service by HTTP. Undefined if it is on another host, or has no port in its name. */
export function httpOf(instance: string): ((path: string) => Promise<Response>) | undefined {
  const [, port] = /:(\d+)$/.exec(instance) ?? [];
  return port !== undefined && isHere(instance) ? get(`http://127.0.0.1:${port}`) : undefined;
}

/** Whether the service runs on this host, as far as its name tells: `<service>@<host>:<port>`, or `:pid<pid>` if any port would do. */
export function isHere(instance: string): boolean {
  const [, host = ""] = /@(.+):(?:pid)?\d+$/.exec(instance) ?? [];
  return host === hostname() || LOOPBACK.has(host);
}

/** Asks services that cannot be found by their names, such as those in containers. */
export async function askAt(urls: readonly string[]): Promise<Answer[]> {
  return Promise.all(urls.map(async (url) => ({ url, ...(await ask(get(url), url)) })));
}

interface Asked {
  /** By performance.now(). */
  atMs: number;
  answer: Promise<Probe | undefined>;
  /** It is being asked again. */
  isAsked: boolean;
}

/** A service is asked again after this, while the answer that is known is shown. */
const PROBE_EVERY_MS = 5_000;

/** The answers of services, kept by one who looks again and again: a service that hangs delays him once. */
export class Probes {
  readonly #known = new Map<string, Asked>();
  #elsewhere: ReadonlyMap<string, Probe> = new Map();

  /** What {@link askAt} found now: it counts until the next call. */
  learn(answers: readonly Answer[]): void {
    this.#elsewhere = new Map(
      answers.flatMap(({ instance, probe }) => (instance === undefined ? [] : [[instance, probe]])),
    );
  }

  /** Undefined: it could not be asked. */
  async of(instance: string): Promise<Probe | undefined> {
    const elsewhere = this.#elsewhere.get(instance);
    if (elsewhere !== undefined) return elsewhere;
    const known = this.#known.get(instance);
    if (known === undefined) {
      const answer = askHere(instance);
      this.#known.set(instance, { atMs: performance.now(), answer, isAsked: false });
      return answer;
    }
    if (!known.isAsked && performance.now() - known.atMs >= PROBE_EVERY_MS)
      void this.#askAgain(known, instance);
    return known.answer;
  }

  /** Forgets those that are gone: an instance may have another name after each start. */
  keep(instances: ReadonlySet<string>): void {
    for (const instance of this.#known.keys()) if (!instances.has(instance)) this.#known.delete(instance);
  }

  async #askAgain(known: Asked, instance: string): Promise<void> {
    known.isAsked = true;
    const answer = await askHere(instance);
    Object.assign(known, { atMs: performance.now(), answer: Promise.resolve(answer), isAsked: false });
  }
}

async function askHere(instance: string): Promise<Probe | undefined> {
  const http = httpOf(instance);
  if (http === undefined) return undefined;
  const port = instance.slice(instance.lastIndexOf(":") + 1);
  return (await ask(http, `port ${port}`)).probe;
}

type Get = (path: string) => Promise<Response>;

function get(base: string): Get {
  return (path) => fetch(new URL(path, base), { signal: AbortSignal.timeout(PROBE_DEADLINE_MS) });
}

/** Services of before there was a commit or an instance in it do not tell it. */
const health = z.object({
  version: z.string(),
  commit: z.string().default("unknown"),
  instance: z.string().optional(),
});
const readiness = z.object({ problems: z.array(z.string()), note: z.string().default("") });

/** @param where for people, if it does not answer */
async function ask(http: Get, where: string): Promise<Omit<Answer, "url">> {
  const json = async (path: string) => (await http(path)).json();
  try {
    const [alive, ready] = await Promise.all([json("/healthz"), json("/readyz")]);
    const { problems, note } = readiness.parse(ready);
    const said = health.safeParse(alive).data;
    const build = said === undefined ? null : { version: said.version, commit: said.commit };
    return { instance: said?.instance, probe: { ready: problems.length === 0, build, problems, note } };
  } catch (error) {
    const { message, cause } = error as Error;
    // fetch's own words are "fetch failed".
    const problem = `${where}: ${cause instanceof Error && cause.message !== "" ? cause.message : message}`;
    return { instance: undefined, probe: { ready: false, build: null, problems: [problem], note: "" } };
  }
}
