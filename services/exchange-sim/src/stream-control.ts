import type { FastifyInstance } from "fastify";
import { streamFaultSchema } from "./stream-faults.ts";
import type { UserStream } from "./user-stream.ts";

/** The tester's routes to the user data stream; `streamFaultSchema` documents the faults. */
export function streamControlRoutes(scope: FastifyInstance, stream: UserStream): void {
  scope.post("/sim/stream-faults", async (request) => {
    const fault = streamFaultSchema.parse(request.body);
    stream.addFault(fault);
    return fault;
  });
  scope.get("/sim/stream-faults", async () => stream.pendingFaults());
  scope.delete("/sim/stream-faults", async () => {
    stream.clearFaults();
    return {};
  });
}
