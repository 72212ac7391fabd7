import { runBareService } from "@quantum/service-kit";
import { serviceOf } from "@quantum/topology";
import { configSource } from "./config.ts";
import { startConsole } from "./start.ts";

/** Each browser has one event stream and a few connections for requests. */
const CONNECTIONS_MAX = 512;

await runBareService({
  name: serviceOf("console").name,
  summary: "shows operators the pipeline in a browser, and makes their changes",
  ...configSource,
  port: (config) => config.CONSOLE_PORT,
  level: (config) => config.CONSOLE_LOG_LEVEL,
  connectionsMax: CONNECTIONS_MAX,
  start: startConsole,
});
