/**
 * Ensures one pipeline per checkout. A socket shows that one is running and takes the request to stop; `run.json` says
 * where it is. A socket is used because it disappears with its owner, while a pid may be reused.
 */
import { once } from "node:events";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { join, relative } from "node:path";

export interface RunFacts {
  pid: number;
  /** ISO 8601. */
  startedAt: string;
  scenario: string;
  seed: number;
  /** By service. */
  ports: Record<string, number>;
  /** For `permitctl`: the operator's user of a run's own server, whose password is no secret. */
  redis: { url: string; port: number; partitions: number } | undefined;
  /** For the operators' exit: the folder of the run's keys, and what the executor expects an exit to name. */
  exit: { keysFolder: string; mode: string; venue: string; account: string } | undefined;
}

export interface RunClaim {
  /** Resolves when a stop was requested. */
  readonly stopRequested: Promise<void>;
  write(facts: RunFacts): Promise<void>;
  /** The connection of whoever requested the stop closes then. */
  release(): Promise<void>;
}

const ROOT = join(import.meta.dirname, "../../..");
/** Where `run.json` is. Tests that run pipelines in parallel give each its own folder. */
export const cacheDir = () => process.env["QUANTUM_CACHE_DIR"] ?? join(ROOT, ".cache");
/** What `permitctl --run` takes. */
export const runFile = (dir = cacheDir()) => join(dir, "run.json");

/** Reserves the checkout for this process. Throws an error that names the pipeline already running. */
export async function claimRun(dir = cacheDir()): Promise<RunClaim> {
  await mkdir(dir, { recursive: true });
  const path = socketPath(dir);
  const running = await connectTo(path);
  if (running !== undefined) {
    running.destroy();
    throw new Error(
      `A pipeline is running already (${await describeRun(dir)}): end it with: npx -y pnpm@12 stop`,
    );
  }
  await rm(path, { force: true });

  const stop = Promise.withResolvers<void>();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).once("close", () => sockets.delete(socket));
    socket.on("data", () => stop.resolve());
  });
  await once(server.listen(path), "listening");
  const file = runFile(dir);
  return {
    stopRequested: stop.promise,
    // Written atomically: a reader sees the whole new file or the old one.
    write: async (facts) => {
      const unfinished = `${file}.tmp`;
      await writeFile(unfinished, `${JSON.stringify(facts, null, 2)}\n`);
      await rename(unfinished, file);
    },
    async release() {
      await rm(file, { force: true });
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/**
 * Asks the running pipeline to stop, and resolves when it has.
 * @returns a description of it; undefined if none was running
 */
export async function stopRun(dir = cacheDir()): Promise<string | undefined> {
  const socket = await connectTo(socketPath(dir));
  if (socket === undefined) return undefined;
  const description = await describeRun(dir);
  const closed = once(socket, "close");
  socket.on("error", () => undefined);
  socket.resume();
  socket.write("stop\n");
  await closed;
  return description;
}

async function describeRun(dir: string): Promise<string> {
  try {
    const facts = JSON.parse(await readFile(runFile(dir), "utf8")) as RunFacts;
    const at = `pid ${facts.pid}, since ${facts.startedAt}, scenario ${facts.scenario}`;
    return facts.redis === undefined ? `${at}, starting` : `${at}, Redis ${facts.redis.url}`;
  } catch {
    return "it is just starting";
  }
}

async function connectTo(path: string): Promise<Socket | undefined> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
    return socket;
  } catch {
    return undefined;
  }
}

/** The shorter path to the socket, because the system limits it to about a hundred characters. */
function socketPath(dir: string): string {
  const path = join(dir, "run.sock");
  const fromHere = relative(process.cwd(), path);
  return fromHere.length < path.length ? fromHere : path;
}
