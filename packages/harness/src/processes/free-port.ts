import { once } from "node:events";
import { createServer } from "node:net";

/** Below the ports used for outgoing connections, so that a reconnecting client cannot take one in the meantime. */
const LOWEST = 20_000;
const HIGHEST = 32_767;

/** A TCP port of 127.0.0.1 that was free just now. Another process may still take it, so callers must retry. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST + 1));
    if (await isFree(port)) return port;
  }
}

/** Whether a server can listen on this port of 127.0.0.1 now. */
export async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen({ port, host: "127.0.0.1", exclusive: true }), "listening");
  } catch {
    return false;
  }
  server.close();
  await once(server, "close");
  return true;
}
