/** The JSON field in which an issuer says yes (WIRE.md, "Permits"): only JSON `true` there is a yes. */
export function verdictField(issuer: string): "granted" | "allow" {
  return issuer === "governor" ? "granted" : "allow";
}

/** The issuer whose permit carries side and quantity; without it there is no order to place. */
export const QUANTITY_ISSUER = "p33";

/** The wait log's name of an issuer: `gov_ttl=58 p33_ttl=-2`. */
export function ttlLabel(issuer: string): string {
  return `${issuer === "governor" ? "gov" : issuer}_ttl`;
}
