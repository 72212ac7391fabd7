#!/usr/bin/env python3
"""An issuer in Python: it permits every close, except those of frozen symbols.

docs/issuers.md explains it, docs/wire.md defines what it reads and writes. It serves one partition (PARTITIONS=1). It needs Python 3.9, redis-py 4.2 and
cryptography 3.0; on Debian: python3-redis, python3-cryptography.

    REDIS_URL                  redis://user:password@host:port/db
    EXAMPLE_SIGNING_KEY_FILE   its private key, as `permitctl keys new` writes it
    BINANCE_BASE_URL           the venue, which signed permits name
    QUANTUM_ACCOUNT            the account, which they name, too [main]
    INSTANCE                   consumer name: unique for each replica, the same after a restart [example@<host>]
    EXAMPLE_FROZEN_SYMBOLS     comma-separated symbols that are not closed []
"""
import base64
import hashlib
import json
import logging
import os
import re
import signal
import socket
import time
from decimal import Decimal
from urllib.parse import quote, urlsplit

import redis
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

ISSUER = GROUP = "example"
PLANS, PERMITS = "quantum:stream:apply.plan", "quantum:stream:apply.permit"
DEAD_LETTERS = "quantum:stream:dead_letter"
HALTS = "quantum:global:kill_switch", "quantum:governor:disarm"

PERMIT_TTL_SEC = 60
DENIAL_TTL_SEC = 3_600
WAY_TO_EXECUTOR_MS = 30_000  # Added to a permit's TTL in the signed `until_ms`.
READ_MS = 1_000  # How long a read waits, and so how long a stop takes at most.
RECLAIM_IDLE_MS = 10_000  # An entry pending for longer belongs to an instance that is gone.

# The whole answer in one step: permit or denial, stamp in the plan's record, wake-up, acknowledgement. It writes nothing
# for a plan that has its answer or has ended, and refuses to grant while the pipeline is halted.
ANSWER = """
local plan, permit, permits, plans, kill_switch, disarm, disarm_today = unpack(KEYS)
local issuer, group, attempt, plan_id, symbol, verdict, reason, body, ttl, now = unpack(ARGV)
local state, of, stamp, answers = unpack(redis.call('HMGET', plan, 'state', 'attempt', issuer .. '_verdict', 'answers'))
if state ~= 'WAITING' or of ~= attempt or stamp then
  redis.call('XACK', plans, group, attempt)
  return 'needs no answer'
end
if verdict == 'granted' then
  local switch = redis.pcall('GET', kill_switch)
  local off = { ['0'] = true, ['false'] = true, ['off'] = true, ['no'] = true }
  local running = not switch or type(switch) == 'string' and off[switch:lower():match('^%s*(.-)%s*$')]
  if not running then return 'kill_switch_active' end
  if redis.call('EXISTS', disarm, disarm_today) > 0 then return 'disarmed' end
end
answers = string.format('%d', (tonumber(answers or '0') or 0) + 1)
redis.call('SET', permit, body, 'EX', ttl)
redis.call('HSET', plan, issuer .. '_verdict', verdict, issuer .. '_reason', reason, issuer .. '_at_ms', now, 'answers', answers)
redis.call('XADD', permits, '*', 'plan_id', plan_id, 'symbol', symbol, 'issuer', issuer, 'verdict', verdict,
  'reason', reason, 'issued_at_ms', now, 'attempt', attempt, 'answers', answers)
redis.call('XACK', plans, group, attempt)
return verdict
"""

log = logging.getLogger(ISSUER)


class Signer:
    """Signs permits as docs/wire.md says in "Signed permits"."""

    def __init__(self, key_file, venue_url, account):
        with open(key_file, "rb") as file:
            self.key = load_pem_private_key(file.read(), password=None)
        public = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.kid = hashlib.sha256(public).hexdigest()[:16]
        host = urlsplit(venue_url).hostname
        is_simulated = host in ("localhost", "exchange-sim", "::1") or host.startswith("127.")
        self.venue = "simulated" if is_simulated else host
        self.account = account

    def sign(self, plan, step, attempt, now_ms):
        fields = {
            "v": 1,
            "kid": self.kid,
            "issuer": ISSUER,
            "class": "issuer",
            "mode": encoded(plan["mode"]),
            "venue": encoded(self.venue),
            "account": encoded(self.account),
            "plan": plan["plan_id"],
            "attempt": attempt,
            "symbol": encoded(plan["symbol"]),
            "side": "",
            "step": encoded(step["step"]),
            "pct": format(Decimal(str(step.get("pct", 100))).normalize(), "f"),
            "safe_qty": "",
            "position": "",
            "computed_qty": "",
            "issued_ms": now_ms,
            "until_ms": now_ms + PERMIT_TTL_SEC * 1_000 + WAY_TO_EXECUTOR_MS,
        }
        text = ";".join(f"{name}={value}" for name, value in fields.items())
        signature = base64.urlsafe_b64encode(self.key.sign(text.encode("ascii"))).decode().rstrip("=")
        return f"{text};sig={signature}"


def encoded(text):
    return quote(text, safe="-_.!~*'()")


class Issuer:
    def __init__(self, client, signer, consumer, frozen):
        self.redis = client
        self.signer = signer
        self.consumer = consumer
        self.frozen = frozen
        self.stopping = False

    def decide(self, plan):
        """The policy: None to grant, or the reason of the denial."""
        return "symbol_frozen" if plan["symbol"] in self.frozen else None

    def run(self):
        cursor = None
        while not self.stopping:
            try:
                if cursor is None:
                    self.create_group()
                    # First what was delivered before a restart or an error, and not answered.
                    cursor, reclaim_at = "0", time.monotonic()
                if time.monotonic() >= reclaim_at:
                    self.answer_all(self.reclaimed())
                    reclaim_at = time.monotonic() + RECLAIM_IDLE_MS / 2_000
                [[_, entries]] = self.redis.xreadgroup(
                    GROUP, self.consumer, {PLANS: cursor}, count=100, block=READ_MS
                ) or [[PLANS, []]]
                self.answer_all(entries)
                if cursor != ">":
                    cursor = entries[-1][0] if entries else ">"
            except redis.RedisError as error:
                log.error("Redis does not answer, trying again: %s", error)
                cursor = None
                time.sleep(1)

    def create_group(self):
        try:
            # From 0: plans that were published before the first start are answered, too.
            self.redis.xgroup_create(PLANS, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    def reclaimed(self):
        return self.redis.xautoclaim(PLANS, GROUP, self.consumer, RECLAIM_IDLE_MS, start_id="0", count=100)[1]

    def answer_all(self, entries):
        for attempt, fields in entries:
            # A pending entry that was deleted from the stream has no fields.
            self.answer(attempt, fields or {})

    def answer(self, attempt, fields):
        try:
            plan, step = parsed(fields)
        except (ValueError, KeyError, TypeError) as error:
            self.bury(attempt, fields, f"malformed plan: {error!r}")
            return
        if plan["decision"] != "EXECUTE" or plan["class"]:
            self.redis.xack(PLANS, GROUP, attempt)
            return
        reason = self.decide(plan)
        status = self.write(attempt, plan, step, reason)
        if status in ("kill_switch_active", "disarmed"):
            status = self.write(attempt, plan, step, status)
        log.info("%s: plan %s %s reason=%s", plan["symbol"], plan["plan_id"], status, reason or "not_frozen")

    def write(self, attempt, plan, step, denial):
        seconds, micros = self.redis.time()
        now_ms = seconds * 1_000 + micros // 1_000
        today = time.strftime("%Y-%m-%d", time.gmtime(seconds))
        plan_id, symbol = plan["plan_id"], plan["symbol"]
        body = {"allow": denial is None, "symbol": symbol, "reason": denial or "not_frozen"}
        body.update(created_at=now_ms / 1_000, attempt=attempt)
        # What leads to no order is not signed: a plan that closes nothing, or the Python apply-layer's, without a mode.
        if denial is None and self.signer and step and plan["mode"]:
            body["signed"] = self.signer.sign(plan, step, attempt, now_ms)
        verdict = "granted" if denial is None else "denied"
        ttl = PERMIT_TTL_SEC if denial is None else DENIAL_TTL_SEC
        keys = [f"quantum:apply:plan:{plan_id}", f"quantum:permit:{ISSUER}:{plan_id}", PERMITS, PLANS, *HALTS]
        keys.append(f"quantum:governor:disarm:{today}")
        args = [ISSUER, GROUP, attempt, plan_id, symbol, verdict, body["reason"], json.dumps(body), ttl, now_ms]
        return self.redis.eval(ANSWER, len(keys), *keys, *args)

    def bury(self, attempt, fields, why):
        log.error("entry %s: %s", attempt, why)
        entry = {f"entry.{name}": value for name, value in fields.items()}
        about = {"stream": PLANS, "group": GROUP, "entry_id": attempt, "reason": why, "deliveries": 1}
        about["dead_at_ms"] = int(time.time() * 1_000)
        # The letter first: after a crash in between it is written twice, and not lost.
        self.redis.xadd(DEAD_LETTERS, {**about, **entry}, maxlen=10_000)
        self.redis.xack(PLANS, GROUP, attempt)


def parsed(fields):
    """The plan and its closing step, None if it closes nothing. Raises if it is no plan."""
    plan = {"mode": "", "class": "", **fields}
    if not re.fullmatch("[0-9a-f]{16}", plan["plan_id"]):
        raise ValueError(f"plan_id={plan['plan_id']!r}")
    if not re.fullmatch(r"\w{2,32}", plan["symbol"]):
        raise ValueError(f"symbol={plan['symbol']!r}")
    if plan["decision"] not in ("EXECUTE", "SKIP", "BLOCKED", "ERROR"):
        raise ValueError(f"decision={plan['decision']!r}")
    closing = [step for step in json.loads(plan["steps"]) if step["step"].startswith("CLOSE_")]
    return plan, closing[0] if closing else None


def main():
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    env = os.environ
    client = redis.Redis.from_url(
        env["REDIS_URL"], decode_responses=True, encoding_errors="replace", socket_timeout=5
    )
    key_file = env.get("EXAMPLE_SIGNING_KEY_FILE")
    signer = key_file and Signer(key_file, env["BINANCE_BASE_URL"], env.get("QUANTUM_ACCOUNT", "main"))
    if not signer:
        log.warning("permits are unsigned: EXAMPLE_SIGNING_KEY_FILE is not set")
    consumer = env.get("INSTANCE", f"{ISSUER}@{socket.gethostname()}")
    frozen = {symbol.strip() for symbol in env.get("EXAMPLE_FROZEN_SYMBOLS", "").split(",")}
    issuer = Issuer(client, signer, consumer, frozen)

    def stop(*_):
        issuer.stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    issuer.run()


if __name__ == "__main__":
    main()
