import type { DashboardSource } from "./dashboard-source.ts";

const PER_SECOND = "suffix:/s";

export const streamsAndRedis: DashboardSource = {
  uid: "quantum-streams-redis",
  title: "Quantum: streams and Redis",
  description: "Whether every consumer keeps up, and whether Redis and the processes are well.",
  rows: [
    {
      title: "Consumer groups",
      panels: [
        {
          kind: "lines",
          title: "Lag",
          description: "Entries that the group has yet to read; no line where Redis cannot tell.",
          runbooks: ["StreamLagHigh"],
          unit: "short",
          queries: [{ expr: "max by (stream, group) (quantum_stream_lag)", legend: "{{group}} {{stream}}" }],
        },
        {
          kind: "lines",
          title: "Pending",
          description: "Entries that were read and are not acknowledged.",
          runbooks: ["StreamPendingHigh"],
          unit: "short",
          queries: [
            { expr: "max by (stream, group) (quantum_stream_pending)", legend: "{{group}} {{stream}}" },
          ],
        },
        {
          kind: "lines",
          title: "Oldest pending entry",
          description: "Since it was last delivered; after ten seconds another replica takes it over.",
          runbooks: ["StreamEntryStuck"],
          unit: "s",
          queries: [
            {
              expr: "max by (stream, group) (quantum_stream_oldest_idle_seconds)",
              legend: "{{group}} {{stream}}",
            },
          ],
        },
        {
          kind: "lines",
          title: "Handled",
          description: "done and ack are well; retry comes again, dead goes to the dead-letter stream.",
          unit: PER_SECOND,
          queries: [
            {
              expr: 'sum by (group, stream, disposition) (rate(quantum_stream_handled_total{instance=~"$instance"}[$__rate_interval]))',
              legend: "{{group}} {{stream}} {{disposition}}",
            },
          ],
        },
        {
          kind: "lines",
          title: "Taken over, deleted, dead",
          description:
            "Pending entries of replicas that went away, those that somebody deleted, and dead letters.",
          unit: "short",
          queries: [
            {
              expr: "sum by (group) (increase(quantum_stream_reclaimed_total[$__rate_interval]))",
              legend: "{{group}} taken over",
            },
            {
              expr: "sum by (group) (increase(quantum_stream_deleted_total[$__rate_interval]))",
              legend: "{{group}} deleted",
            },
            {
              expr: "sum by (group) (increase(quantum_stream_dead_letter_total[$__rate_interval]))",
              legend: "{{group}} dead",
            },
          ],
        },
        {
          kind: "lines",
          title: "Since the last answered read",
          description: "Idle readers hear from Redis every five seconds; beyond twenty they are not ready.",
          runbooks: ["StreamReaderStalled"],
          unit: "s",
          queries: [
            {
              expr: 'max by (group, stream) (quantum_stream_read_silence_seconds{instance=~"$instance"})',
              legend: "{{group}} {{stream}}",
            },
          ],
        },
      ],
    },
    {
      title: "Redis",
      panels: [
        {
          kind: "stat",
          title: "Redis",
          description: "Whether it answers every service.",
          runbooks: ["RedisUnreachable"],
          unit: "short",
          states: { 0: "DOWN", 1: "up", good: 1 },
          queries: [{ expr: "min(quantum_redis_up)", legend: "" }],
        },
        {
          kind: "stat",
          title: "Durable",
          description: "appendonly, appendfsync always, noeviction: what it acknowledged is never forgotten.",
          runbooks: ["RedisNotDurable"],
          unit: "short",
          states: { 0: "NO", 1: "yes", good: 1 },
          queries: [{ expr: "min(quantum_redis_durable)", legend: "" }],
        },
        {
          kind: "stat",
          title: "Replicas",
          description: "Of the master that has the fewest.",
          runbooks: ["RedisReplicasMissing", "RedisReplaced"],
          unit: "short",
          queries: [{ expr: "min(quantum_redis_replicas)", legend: "" }],
        },
        {
          kind: "lines",
          title: "Clocks",
          description: "How far each service is ahead of Redis; half a second is an alert.",
          runbooks: ["ClockOffset"],
          unit: "s",
          queries: [
            { expr: 'max by (job) (quantum_clock_offset_seconds{instance=~"$instance"})', legend: "{{job}}" },
          ],
        },
        {
          kind: "stat",
          title: "Dead letters",
          description: "permitctl dlq list shows them.",
          runbooks: ["DeadLetters"],
          unit: "short",
          badFrom: 1,
          queries: [{ expr: "max(quantum_dead_letters)", legend: "" }],
        },
      ],
    },
    {
      title: "Processes",
      panels: [
        {
          kind: "lines",
          title: "CPU",
          description: "Of one core.",
          unit: "percentunit",
          queries: [
            {
              expr: 'sum by (job, instance) (rate(process_cpu_seconds_total{instance=~"$instance"}[$__rate_interval]))',
              legend: "{{job}} {{instance}}",
            },
          ],
        },
        {
          kind: "lines",
          title: "Memory",
          description: "Resident.",
          unit: "bytes",
          queries: [
            {
              expr: 'max by (job, instance) (process_resident_memory_bytes{instance=~"$instance"})',
              legend: "{{job}} {{instance}}",
            },
          ],
        },
        {
          kind: "lines",
          title: "Event loop lag, p99",
          description: "Above some 50 ms a process is too busy to keep deadlines.",
          unit: "s",
          queries: [
            {
              expr: 'max by (job, instance) (nodejs_eventloop_lag_p99_seconds{instance=~"$instance"})',
              legend: "{{job}} {{instance}}",
            },
          ],
        },
        {
          kind: "lines",
          title: "Restarts",
          description: "Within 15 minutes; more than two are an alert.",
          runbooks: ["RestartLoop"],
          unit: "short",
          queries: [
            {
              expr: 'sum by (job) (changes(process_start_time_seconds{instance=~"$instance"}[15m]))',
              legend: "{{job}}",
            },
          ],
        },
      ],
    },
  ],
};
