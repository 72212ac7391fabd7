/** What all dashboards mark in their graphs. */
import type { AnnotationSource } from "./dashboard-source.ts";

/** A build is new if it was not there one interval ago: no step of a graph is longer, so none is missed. */
const BUILDS = "count by (version, commit) (quantum_build_info)";

export const ANNOTATIONS: readonly AnnotationSource[] = [
  {
    name: "Kill switch",
    expr: "max(quantum_kill_switch_active) > 0 or max(quantum_apply_kill_switch) > 0",
    title: "Kill switch on",
    color: "red",
  },
  { name: "Disarm", expr: "max(quantum_disarmed) > 0", title: "Disarmed by the governor", color: "orange" },
  {
    name: "Deploys",
    expr: `${BUILDS} unless ${BUILDS.replace("build_info", "build_info offset $__rate_interval")}`,
    title: "{{version}} ({{commit}}) started",
    color: "blue",
  },
];
