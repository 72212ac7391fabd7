import { expect, it } from "vitest";
import { readyUrlOf } from "../../ops/install/env-files.mjs";

it.each([
  ["", "http://127.0.0.1:8044/readyz"],
  ["HTTP_HOST=\nMETRICS_PORT=", "http://127.0.0.1:8044/readyz"],
  ["HTTP_HOST=0.0.0.0\nMETRICS_PORT=9044", "http://127.0.0.1:9044/readyz"],
  ["HTTP_HOST=192.0.2.1\nHTTP_HOST=192.0.2.2", "http://192.0.2.2:8044/readyz"],
  ["HTTP_HOST=::", "http://[::1]:8044/readyz"],
  ["HTTP_HOST=2001:db8::1", "http://[2001:db8::1]:8044/readyz"],
  [`HTTP_HOST="0.0.0.0"\nMETRICS_PORT='9044' `, "http://127.0.0.1:9044/readyz"],
])("the installer asks a service where its variables say: %j", (environment, url) => {
  expect(readyUrlOf(environment, "METRICS_PORT", 8044)).toBe(url);
  expect(URL.canParse(url)).toBe(true);
});
