/**
 * Which partition a symbol belongs to, and which slot of a Redis Cluster a key lies in.
 * Source: docs/wire.md, "Partitions"; https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/.
 */

export const PARTITIONS_MAX = 64;

const SLOTS = 16_384;

/** CRC-16/XMODEM: this polynomial, from 0, nothing reflected. */
const POLYNOMIAL = 0x1021;
const TOP_BIT = 0x80_00;

/** @param partitions how many there are, 1 to {@link PARTITIONS_MAX} */
export function partitionOf(symbol: string, partitions: number): number {
  // Asked several times a plan, and mostly there is one.
  return partitions === 1 ? 0 : crc16(symbol) % partitions;
}

/** The slot of a key: of what its first pair of braces encloses, or else of all its text. */
export function slotOf(key: string): number {
  const tag = /^[^{]*\{([^}]+)\}/.exec(key)?.[1];
  return crc16(tag ?? key) % SLOTS;
}

function crc16(text: string): number {
  let crc = 0;
  for (const byte of Buffer.from(text, "utf8")) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = ((crc << 1) ^ (crc & TOP_BIT ? POLYNOMIAL : 0)) & 0xff_ff;
  }
  return crc;
}
