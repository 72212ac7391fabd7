/**
 * A lock on a folder for one process. The holder listens on a socket in the folder. A crash may leave the socket's file
 * behind, but nobody listens there any more. Unlike a process id, this also works between containers that share the folder;
 * an abstract socket would belong to a network namespace rather than to the folder.
 *
 * Each process listens under a new random name before it looks for others, so of two that start at once, at least one sees
 * the other. Removing a dead process's file is safe because no name is used twice.
 */
import { randomUUID } from "node:crypto";
import { access, constants, type FileHandle, open, readdir, rm } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";

const SOCKET = /^lock\.[0-9a-f-]{36}$/;
/** Errors of connecting to a socket file where nobody listens. */
const DEAD: ReadonlySet<string | undefined> = new Set(["ECONNREFUSED", "ENOENT"]);

export class FolderLock {
  readonly #folder: FileHandle;
  readonly #server: Server;

  private constructor(folder: FileHandle, server: Server) {
    this.#folder = folder;
    this.#server = server;
  }

  /** @returns undefined if another process holds it */
  static async take(path: string): Promise<FolderLock | undefined> {
    const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      const name = `lock.${randomUUID()}`;
      const lock = new FolderLock(folder, await listen(await socketPath(folder, path, name)));
      for (const other of await readdir(path)) {
        if (other === name || !SOCKET.test(other)) continue;
        if (await answers(await socketPath(folder, path, other))) {
          await lock.release();
          return undefined;
        }
        await rm(join(path, other), { force: true });
      }
      return lock;
    } catch (error) {
      await folder.close();
      throw error;
    }
  }

  /** Makes renames in the folder durable. */
  async syncFolder(): Promise<void> {
    await this.#folder.sync();
  }

  async release(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await this.#folder.close();
  }
}

/** A socket's path may have only about 100 bytes. On Linux, the path through the open folder is short. */
async function socketPath(folder: FileHandle, path: string, name: string): Promise<string> {
  const way = `/proc/self/fd/${folder.fd}`;
  const isThere = await access(way).then(
    () => true,
    () => false,
  );
  return join(isThere ? way : path, name);
}

async function listen(path: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  return server.unref();
}

/** Whether a process listens there. Unclear answers, such as a full connection queue, count as yes. */
async function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(!DEAD.has(error.code)));
  });
}
