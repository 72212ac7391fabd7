import { once } from "node:events";
import { createServer } from "node:net";

/** Below the ports that systems hand to outgoing connections: a client that reconnects cannot take it meanwhile. */
const LOWEST = 20_000;
const HIGHEST = 32_767;

/** A TCP port of 127.0.0.1 that was free a moment ago. Another process may take it first: callers try again. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST + 1));
    if (await isFree(port)) return port;
  }
}

/** Whether the port can be listened on at 127.0.0.1 now. */
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
