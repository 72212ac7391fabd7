/** A service that logs many lines on request, to test how it copes with a stalled log output. */
import { z } from "zod";
import { commonVariables } from "./service-config.ts";
import { runBareService } from "./service.ts";

await runBareService({
  name: "talkative",
  summary: "logs",
  schema: z.object(commonVariables),
  ownPrefixes: [],
  port: () => 0,
  start: async ({ log, http }) => {
    let said = 0;
    http.get<{ Params: { lines: string } }>("/say/:lines", async ({ params }) => {
      const until = said + Number(params.lines);
      while (said < until) {
        said += 1;
        log.info({ said, padding: "x".repeat(200) }, "said");
      }
      return { said };
    });
    http.get("/fail", async () => {
      setImmediate(() => {
        log.info("about to fail");
        throw new Error("its last words");
      });
      return {};
    });
    http.get("/stop", async () => process.kill(process.pid, "SIGTERM"));
    return {};
  },
});
