import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SERVICES } from "@quantum/topology";
import { describe, expect, it } from "vitest";
import { portProblem, publishedPorts } from "./ports.ts";

const FILE = readFileSync(join(import.meta.dirname, "../../docker-compose.yml"), "utf8");

describe("the ports that docker-compose.yml publishes", () => {
  it("are found for every service, and for Redis", () => {
    const found = new Map(publishedPorts(FILE, {}).map(({ service, ports }) => [service, ports]));
    for (const { name, port } of SERVICES) expect([name, found.get(name)]).toEqual([name, [port]]);
    expect(found.get("redis")).toEqual([6379]);
  });

  it("are those of .env or of the shell, a range as well", () => {
    const settings = { PORT_EXECUTOR: "8490-8492", PORT_GOVERNOR: "" };
    const found = publishedPorts(FILE, settings);
    expect(found.find(({ service }) => service === "executor")).toMatchObject({
      variable: "PORT_EXECUTOR",
      ports: [8490, 8491, 8492],
      containerPort: 8049,
    });
    expect(found.find(({ service }) => service === "governor")?.ports).toEqual([8044]);
  });
});

describe("a port that is not free", () => {
  const [published] = publishedPorts(FILE, { PORT_REDIS: "7000" });
  if (published === undefined) throw new Error("docker-compose.yml publishes nothing");

  it("names the variable that changes it", () => {
    expect(portProblem(published, { isOurs: false, containers: 1 })).toMatch(
      /^PORT_REDIS=7000: redis .* another program .*Set PORT_REDIS in \.env/,
    );
  });

  it("is no problem where the pipeline itself has it", () => {
    expect(portProblem(published, { isOurs: true, containers: 1 })).toBeUndefined();
  });

  it("says that replicas need a range", () => {
    expect(portProblem(published, { isOurs: true, containers: 2 })).toMatch(/^PORT_REDIS=7000: 2 replicas/);
  });
});
