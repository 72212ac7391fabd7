/** A service without Redis, for this package's tests. */
import { z } from "zod";
import { commonVariables } from "./service-config.ts";
import { runBareService } from "./service.ts";

await runBareService({
  name: "bare",
  summary: "does nothing",
  schema: z.object(commonVariables),
  ownPrefixes: [],
  port: () => 0,
  start: async ({ log, http }) => {
    http.get("/hello", async () => ({ hello: "world" }));
    return { stop: async () => log.info("its own stop") };
  },
});
