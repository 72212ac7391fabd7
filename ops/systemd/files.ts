/**
 * The units and env files of the services and the installer's list of them, by name: what ops/systemd holds, and what
 * `write.ts` writes. The units differ in names only; a drop-in for `quantum-.service.d` would change the Python services'
 * units too.
 */
import { HOSTED, keyVariablesOf, type Service, userOf } from "@quantum/topology";
import { z } from "zod";

/** Root's alone: systemd gives each service a copy of its file. */
const KEYS_FOLDER = "/etc/quantum/keys";

const SCHEMAS = new Map<string, z.ZodObject>();
for (const { name } of HOSTED) {
  const { configSource } = (await import(`../../services/${name}/src/config.ts`)) as {
    configSource: { schema: z.ZodObject };
  };
  SCHEMAS.set(name, configSource.schema);
}

/** Paths below ops/systemd with their contents. */
export function systemdFiles(): Map<string, string> {
  return new Map([
    ["services.json", servicesFile()],
    ...HOSTED.flatMap((service): [string, string][] => [
      [`quantum-${service.unit}.service`, unit(service)],
      [`env/${service.unit}.env`, envFile(service)],
    ]),
  ]);
}

/** The installer runs before there is a Node that reads TypeScript. */
function servicesFile(): string {
  const rows = HOSTED.map((row) => {
    const { name, unit: file, portVariable, port, issuer, operatorRedisVariable } = row;
    const redis = {
      REDIS_URL: userOf(row),
      ...(operatorRedisVariable !== undefined && { [operatorRedisVariable]: "operator" }),
    };
    return [name, { name: file, portVariable, port, issuer: issuer?.name, redis }];
  });
  return `${JSON.stringify(Object.fromEntries(rows), null, 2)}\n`;
}

function unit(row: Service): string {
  const { name: service, unit: name, title } = row;
  return `# Written by ops/systemd/write.ts.
[Unit]
Description=Quantum ${title}
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
${credentials(row)}SyslogIdentifier=%N
Restart=always
RestartSec=2
# A refused configuration does not get better by another start.
RestartPreventExitStatus=2
# Longer than the service's own stop deadline of 10 s.
TimeoutStopSec=15
# Several times what it uses under load.
MemoryMax=512M
TasksMax=64

${state(row)}DynamicUser=yes
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

/** The service's keys, and the variables that name them. */
function credentials(row: Service): string {
  const keys = keyVariablesOf(row);
  if (keys.length === 0) return "";
  return [
    "# Copied at each start, for this service alone: after a change of the file, restart the service.",
    ...keys.flatMap(([variable, file]) => [
      `LoadCredential=${file}:${KEYS_FOLDER}/${file}`,
      `Environment=${variable}=%d/${file}`,
    ]),
    "",
  ].join("\n");
}

/** The one folder of the service, if it has any, and the variable that names it or what is in it. */
function state(row: Service): string {
  const { unit: name } = row;
  const inFolder = stateOf(row);
  if (inFolder === undefined) return "# It keeps nothing on disk and owns nothing: all state is in Redis.\n";
  return [
    "# It may write to this folder alone; systemd gives it to the temporary user at each start.",
    `StateDirectory=quantum-${name}`,
    "StateDirectoryMode=0700",
    `Environment=${inFolder.variable}=%S/quantum-${name}${inFolder.file}`,
    "",
  ].join("\n");
}

function stateOf({ stateVariable, usersVariable }: Service): { variable: string; file: string } | undefined {
  if (stateVariable !== undefined) return { variable: stateVariable, file: "" };
  // Root's `permitctl console user` leaves the file to the owner of the folder, and the console sees it at once: a
  // credential would be copied at the start, and a user who was removed would stay until the next one.
  if (usersVariable !== undefined) return { variable: usersVariable, file: "/users.json" };
  return undefined;
}

function envFile(row: Service): string {
  const { name: service, unit: name } = row;
  const byUnit = new Set(keyVariablesOf(row).map(([variable]) => variable));
  const inFolder = stateOf(row);
  if (inFolder !== undefined) byUnit.add(inFolder.variable);
  const schema = SCHEMAS.get(service) ?? z.object({});
  const { properties = {}, required = [] } = z.toJSONSchema(schema, {
    io: "input",
    unrepresentable: "any",
  });
  const configurable = Object.entries(properties).filter(([variable]) => !byUnit.has(variable));
  const variables = configurable.map(([variable, type]) => {
    const { description = "", default: fallback } = type as { description?: string; default?: string };
    const meaning = fallback === undefined ? description : description.replace(` [${fallback}]`, "");
    return { variable, meaning, value: required.includes(variable) ? "" : (fallback ?? "") };
  });
  return [
    `# /etc/quantum/${name}.env: configuration of quantum-${name}.service, read at each start.`,
    "# Every variable is here with its default; an empty one is unset. A comment has a line of its own.",
    ...[...byUnit].map(
      (variable) => `# Except ${variable}: the unit sets it, and a value here would replace that one.`,
    ),
    ...variables.flatMap(({ variable, meaning, value }) => ["", `# ${meaning}`, `${variable}=${value}`]),
    "",
  ].join("\n");
}
