const MS_PER_SEC = 1_000;
const SEC_PER_MIN = 60;
const SEC_PER_HOUR = 3_600;
const SEC_PER_DAY = 86_400;

/** `340 ms`, `12 s`, `5 min`, `3 h`, `9 d`: for people, rounded down. */
export function duration(ms: number): string {
  const sec = Math.floor(ms / MS_PER_SEC);
  if (sec < 1) return `${Math.round(ms)} ms`;
  if (sec < 2 * SEC_PER_MIN) return `${sec} s`;
  if (sec < 2 * SEC_PER_HOUR) return `${Math.floor(sec / SEC_PER_MIN)} min`;
  if (sec < 2 * SEC_PER_DAY) return `${Math.floor(sec / SEC_PER_HOUR)} h`;
  return `${Math.floor(sec / SEC_PER_DAY)} d`;
}
