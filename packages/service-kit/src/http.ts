/** /healthz, /readyz and /metrics of a service. */
import fastify, { type FastifyInstance } from "fastify";
import type { Registry } from "prom-client";
import { version } from "./version.ts";

/** What is not ready, one sentence each; empty when all is well. */
export type Readiness = () => Promise<string[]>;

export function createHttp(registry: Registry, readiness: Readiness): FastifyInstance {
  const app = fastify({ logger: false, forceCloseConnections: true });
  app.get("/healthz", async () => ({ status: "ok", version }));
  app.get("/readyz", async (_, reply) => {
    const problems = await readiness();
    return reply
      .code(problems.length === 0 ? 200 : 503)
      .send({ status: problems.length === 0 ? "ready" : "not ready", problems });
  });
  app.get("/metrics", async (_, reply) => reply.type(registry.contentType).send(await registry.metrics()));
  return app;
}

/** @returns the real URL, as a port of 0 takes a free one. */
export async function listen(app: FastifyInstance, host: string, port: number): Promise<string> {
  await app.listen({ host, port });
  const address = app.server.address();
  const bound = typeof address === "object" && address !== null ? address.port : port;
  return `http://${host.includes(":") ? `[${host}]` : host}:${bound}`;
}
