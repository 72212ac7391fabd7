/**
 * Vitest's global setup: no launcher of a test gets the fixed ports, which one in another worker would take as soon as it
 * ends; so a port that is taken after a run is taken by what the run has left.
 */
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { SERVICES } from "@quantum/topology";

const REDIS_PORT = 6379;

/** @returns lets them go */
export default async function holdPorts(): Promise<() => void> {
  const held: Server[] = [];
  for (const port of [REDIS_PORT, ...SERVICES.map(({ port }) => port)]) {
    const server = createServer();
    try {
      await once(server.listen({ port, host: "127.0.0.1" }), "listening");
      held.push(server.unref());
    } catch {
      // Somebody else has it: that holds it as well.
    }
  }
  return () => {
    for (const server of held) server.close();
  };
}
