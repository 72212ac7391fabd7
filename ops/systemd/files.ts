/**
 * The units and env files of the services, by name: what ops/systemd holds, and what `write.ts` writes. The four units
 * differ in names only; a drop-in for `quantum-.service.d` would change the Python services' units too.
 */
import { z } from "zod";
import { configSource as applyLayer } from "../../services/apply-layer/src/config.ts";
import { configSource as executor } from "../../services/executor/src/config.ts";
import { configSource as governor } from "../../services/governor/src/config.ts";
import { configSource as positionBrain } from "../../services/position-brain/src/config.ts";
import services from "./services.json" with { type: "json" };

type Service = keyof typeof services;

const SCHEMAS: Readonly<Record<Service, z.ZodObject>> = {
  "apply-layer": applyLayer.schema,
  governor: governor.schema,
  "position-brain": positionBrain.schema,
  executor: executor.schema,
};

const TITLES: Readonly<Record<Service, string>> = {
  "apply-layer": "P3 apply-layer: opens plans, waits for their permits and spends them",
  governor: "P3.2 governor: permits within the limits",
  "position-brain": "P3.3 position state brain: permits what exchange and ledger agree on",
  executor: "executor: one reduce-only order a plan",
};

/** Paths below ops/systemd with their contents. */
export function systemdFiles(): Map<string, string> {
  return new Map(
    (Object.keys(services) as Service[]).flatMap((service) => {
      const { name } = services[service];
      return [
        [`quantum-${name}.service`, unit(service, name)] as const,
        [`env/${name}.env`, envFile(service, name)] as const,
      ];
    }),
  );
}

function unit(service: Service, name: string): string {
  return `# Written by ops/systemd/write.ts.
[Unit]
Description=Quantum ${TITLES[service]}
Wants=network-online.target
# Redis may be elsewhere: the service waits for it by itself.
After=network-online.target redis-server.service
# A loop of crashes ends and shows as failed; an exchange that is away for longer (12 s a start) does not end it.
StartLimitIntervalSec=60
StartLimitBurst=10

[Service]
Type=exec
WorkingDirectory=/opt/quantum/${service}/current/services/${service}
ExecStart=/opt/quantum/${service}/current/node_modules/.bin/node src/main.ts
Environment=NODE_ENV=production
EnvironmentFile=/etc/quantum/${name}.env
SyslogIdentifier=%N
Restart=always
RestartSec=2
# A refused configuration does not get better by another start.
RestartPreventExitStatus=2
# Longer than the service's own stop deadline of 10 s.
TimeoutStopSec=15
# Several times what it uses under load.
MemoryMax=512M
TasksMax=64

# It keeps nothing on disk and owns nothing: all state is in Redis.
DynamicUser=yes
UMask=0077
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=yes
ProtectProc=invisible
ProcSubset=pid
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
PrivateDevices=yes
PrivateUsers=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
# No MemoryDenyWriteExecute: Node compiles at run time.

[Install]
WantedBy=multi-user.target
`;
}

function envFile(service: Service, name: string): string {
  const { properties = {}, required = [] } = z.toJSONSchema(SCHEMAS[service], {
    io: "input",
    unrepresentable: "any",
  });
  const variables = Object.entries(properties).map(([variable, type]) => {
    const { description = "", default: fallback } = type as { description?: string; default?: string };
    const meaning = fallback === undefined ? description : description.replace(` [${fallback}]`, "");
    return { variable, meaning, value: required.includes(variable) ? "" : (fallback ?? "") };
  });
  return [
    `# /etc/quantum/${name}.env: configuration of quantum-${name}.service, read at each start.`,
    "# Every variable is here with its default; an empty one is unset. A comment has a line of its own.",
    ...permitWait(variables),
    ...variables.flatMap(({ variable, meaning, value }) => ["", `# ${meaning}`, `${variable}=${value}`]),
    "",
  ].join("\n");
}

/** Operators look for both variables of the wait with one `grep PERMIT_WAIT`. */
function permitWait(variables: readonly { variable: string; value: string }[]): string[] {
  const pair = variables.filter(({ variable }) => /^APPLY_PERMIT_(WAIT|STEP)_MS$/.test(variable));
  if (pair.length === 0) return [];
  return [`# PERMIT_WAIT as shipped: ${pair.map(({ variable, value }) => `${variable}=${value}`).join(" ")}`];
}
