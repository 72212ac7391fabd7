/** The ports that docker-compose.yml publishes on this machine, with the variables that change them. */

export interface Published {
  readonly service: string;
  /** In `.env` or the shell. */
  readonly variable: string;
  readonly value: string;
  /** On this machine: one, or those of a range. */
  readonly ports: readonly number[];
  readonly containerPort: number;
}

/** In the order of the file. */
export function publishedPorts(
  file: string,
  settings: Readonly<Record<string, string | undefined>>,
): Published[] {
  const published: Published[] = [];
  let service = "";
  for (const line of file.split("\n")) {
    service = /^ {2}([\w-]+):$/.exec(line)?.[1] ?? service;
    const found = /^ {4}ports: \["127\.0\.0\.1:\$\{(\w+):-(\d+)\}:(\d+)"\]$/.exec(line);
    if (found === null) continue;
    const [, variable = "", fallback = "", containerPort] = found;
    // An empty one is unset for compose as well.
    const value = settings[variable] || fallback;
    published.push({ service, variable, value, ports: rangeOf(value), containerPort: Number(containerPort) });
  }
  return published;
}

function rangeOf(value: string): number[] {
  const [first = 0, last = first] = value.split("-").map(Number);
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** What is wrong with ports of which none is free; undefined if nothing is. */
export function portProblem(
  { service, variable, value, ports }: Published,
  /** Whether a container of this pipeline has one of them, and how many containers the service has. */
  { isOurs, containers }: { isOurs: boolean; containers: number },
): string | undefined {
  if (!isOurs) {
    return `${variable}=${value}: ${service} cannot have this port of 127.0.0.1, because another program has it. Set ${variable} in .env to a free one.`;
  }
  if (containers <= ports.length) return undefined;
  return `${variable}=${value}: ${containers} replicas of ${service} need a port each. Set ${variable} in .env to a range of free ones, such as 8490-8499.`;
}
