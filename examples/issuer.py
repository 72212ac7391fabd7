#!/usr/bin/env python3
"""An issuer in Python: it permits every close, except those of frozen symbols.

docs/issuers.md explains it, docs/wire.md defines what it reads and writes. It needs Python 3.9, redis-py 4.2 and cryptography 3.0; on Debian:
python3-redis, python3-cryptography.

    REDIS_URL                  redis://user:password@host:port/db; by Sentinels redis+sentinel://user:password@host:port,.../name/db;
                               a cluster redis+cluster://user:password@host:port,...; with TLS rediss...
    PARTITIONS                 parts into which symbols and keys are divided, the same for all services [1]
    EXAMPLE_SIGNING_KEY_FILE   its private key, as `permitctl keys new` writes it
    BINANCE_BASE_URL           the venue, which signed permits name
    QUANTUM_ACCOUNT            the account, which they name, too [main]
    INSTANCE                   consumer name: unique for each replica, the same after a restart [example@<host>]
    EXAMPLE_FROZEN_SYMBOLS     comma-separated symbols that are not closed []
"""
import base64
import binascii
import hashlib
import json
import logging
import os
import random
import re
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from urllib.parse import parse_qsl, quote, urlsplit

import redis
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

ISSUER = GROUP = "example"
COUNT_KEY = "quantum:partitions"
# The number of partitions cannot be changed while a client with a name of this form is connected.
CLIENT_NAME = f"{ISSUER}@{socket.gethostname()}:blocking"

PERMIT_TTL_SEC = 60
DENIAL_TTL_SEC = 3_600
WAY_TO_EXECUTOR_MS = 30_000  # Added to a permit's TTL in the signed `until_ms`.
READ_MS = 1_000  # How long a read waits, and so how long a stop takes at most.
AGAIN_SEC = 1  # Between attempts to reach Redis.
RECLAIM_IDLE_MS = 10_000  # An entry pending for longer belongs to an instance that is gone.

# The whole answer in one step: permit or denial, stamp in the plan's record, wake-up, acknowledgement. It writes nothing
# for a plan that has its answer or has ended, and refuses to grant while the pipeline is halted.
ANSWER = """
local plan, permit, permits, plans, kill_switch, seen, disarm, disarm_today = unpack(KEYS)
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
  -- With several partitions, also what an apply-layer has read of the wire's kill switch within the last 5 s.
  if seen ~= kill_switch then
    local mark = redis.pcall('GET', seen)
    local at, word = (type(mark) == 'string' and mark or ''):match('^(%d+) (%l+)$')
    local time = redis.call('TIME')
    local age_ms = at and time[1] * 1000 + math.floor(time[2] / 1000) - tonumber(at)
    if not age_ms or age_ms < 0 or age_ms > 5000 then return 'kill_switch_unread' end
    if word ~= 'running' then return 'kill_switch_active' end
  end
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


def partition_of(symbol, count):
    return binascii.crc_hqx(symbol.encode(), 0) % count


class Keys:
    """The keys of a partition, which has a tag if it is not the only one (docs/wire.md, "Partitions")."""

    def __init__(self, partition, count):
        self.tag = "" if count == 1 else f":{{q{partition}}}"
        self.plans = self.key("stream", "apply.plan")
        self.permits = self.key("stream", "apply.permit")
        self.dead_letters = self.key("stream", "dead_letter")
        self.kill_switch = self.key("global", "kill_switch")
        # With one partition, the kill switch is the wire's.
        self.seen = self.key("global", "kill_switch_seen") if self.tag else self.kill_switch
        self.disarm = self.key("governor", "disarm")

    def key(self, family, rest):
        return f"quantum:{family}{self.tag}:{rest}"


def connect(url, key):
    """To the server that has the key. RedisCluster and Sentinel of redis-py use commands that the issuer's user may not."""
    parts = urlsplit(url)
    scheme, _, kind = parts.scheme.partition("+")
    if not kind:
        return client_of(url)
    login, at, hosts = parts.netloc.rpartition("@")
    name, _, database = parts.path[1:].partition("/")
    hosts = hosts.split(",")
    # One that is cut off may name a master that was replaced: not the same one is asked first each time.
    random.shuffle(hosts)
    problem = None
    for host in hosts:
        try:
            if kind == "cluster":
                master = master_of_slot(f"{scheme}://{login}{at}{host}", slot_of(key))
            else:
                master = master_named(f"{scheme}://{sentinel_login(parts.query)}{sentinel_at(host)}", name)
            return client_of(f"{scheme}://{login}{at}{master}/{database}")
        except redis.RedisError as error:
            problem = error
    raise problem


def client_of(url, name=CLIENT_NAME, timeout_sec=5):
    return redis.Redis.from_url(
        url,
        client_name=name,
        decode_responses=True,
        encoding_errors="replace",
        socket_timeout=timeout_sec,
        socket_connect_timeout=timeout_sec,
    )


def disconnect(client):
    client.connection_pool.disconnect()


def ask(url, *command):
    # Without a name: the user of Sentinels may not set one.
    client = client_of(url, name=None, timeout_sec=1)
    try:
        return client.execute_command(*command)
    finally:
        disconnect(client)


def slot_of(key):
    tag = re.search(r"\{([^}]+)\}", key)
    return binascii.crc_hqx((tag[1] if tag else key).encode(), 0) % 16_384


def master_of_slot(url, slot):
    for first, last, (host, port, *_), *_ in ask(url, "CLUSTER", "SLOTS"):
        if first <= slot <= last:
            return address(host or urlsplit(url).hostname, port)
    raise redis.ConnectionError(f"no master has slot {slot}")


def master_named(url, name):
    found = ask(url, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)
    if not found:
        raise redis.ConnectionError(f"the Sentinel knows no master {name!r}")
    return address(*found)


def address(host, port):
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def sentinel_at(host):
    return host if urlsplit(f"//{host}").port else f"{host}:26379"


def sentinel_login(query):
    """`user:password@` from `sentinel_user=user&sentinel_password=password`."""
    given = dict(parse_qsl(query))
    if "sentinel_password" not in given:
        return ""
    return f"{quote(given.get('sentinel_user', ''), safe='')}:{quote(given['sentinel_password'], safe='')}@"


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
    """Answers the plans of one partition."""

    def __init__(self, connect, partition, count, signer, consumer, frozen, stopping):
        self.connect = connect
        self.partition = partition
        self.count = count
        self.keys = Keys(partition, count)
        self.signer = signer
        self.consumer = consumer
        self.frozen = frozen
        self.stopping = stopping

    def decide(self, plan):
        """The policy: None to grant, or the reason of the denial."""
        return "symbol_frozen" if plan["symbol"] in self.frozen else None

    def run(self):
        self.redis = cursor = None
        while not self.stopping.is_set():
            try:
                if cursor is None:
                    # Its master may be another one by now.
                    self.redis = self.connect(self.keys.plans)
                    self.create_group()
                    # First what was delivered before a restart or an error, and not answered.
                    cursor, reclaim_at = "0", time.monotonic()
                if time.monotonic() >= reclaim_at:
                    self.answer_all(self.reclaimed())
                    reclaim_at = time.monotonic() + RECLAIM_IDLE_MS / 2_000
                [[_, entries]] = self.redis.xreadgroup(
                    GROUP, self.consumer, {self.keys.plans: cursor}, count=100, block=READ_MS
                ) or [[None, []]]
                self.answer_all(entries)
                if cursor != ">":
                    cursor = entries[-1][0] if entries else ">"
            except redis.RedisError as error:
                log.error("partition %s: Redis does not answer, trying again: %s", self.partition, error)
                if self.redis:
                    disconnect(self.redis)
                self.redis = cursor = None
                self.stopping.wait(AGAIN_SEC)

    def create_group(self):
        try:
            # From 0: plans that were published before the first start are answered, too.
            self.redis.xgroup_create(self.keys.plans, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    def reclaimed(self):
        return self.redis.xautoclaim(
            self.keys.plans, GROUP, self.consumer, RECLAIM_IDLE_MS, start_id="0", count=100
        )[1]

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
        home = partition_of(plan["symbol"], self.count)
        if home != self.partition:
            self.bury(attempt, fields, f"{plan['symbol']} belongs to partition {home}")
            return
        if plan["decision"] != "EXECUTE" or plan["class"]:
            self.redis.xack(self.keys.plans, GROUP, attempt)
            return
        reason = self.decide(plan)
        status = self.write(attempt, plan, step, reason)
        if status in ("kill_switch_active", "kill_switch_unread", "disarmed"):
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
        of = self.keys
        keys = [of.key("apply", f"plan:{plan_id}"), of.key("permit", f"{ISSUER}:{plan_id}"), of.permits, of.plans]
        keys += [of.kill_switch, of.seen, of.disarm, f"{of.disarm}:{today}"]
        args = [ISSUER, GROUP, attempt, plan_id, symbol, verdict, body["reason"], json.dumps(body), ttl, now_ms]
        return self.redis.eval(ANSWER, len(keys), *keys, *args)

    def bury(self, attempt, fields, why):
        log.error("entry %s: %s", attempt, why)
        entry = {f"entry.{name}": value for name, value in fields.items()}
        about = {"stream": self.keys.plans, "group": GROUP, "entry_id": attempt, "reason": why, "deliveries": 1}
        about["dead_at_ms"] = int(time.time() * 1_000)
        # The letter first: after a crash in between it is written twice, and not lost.
        self.redis.xadd(self.keys.dead_letters, {**about, **entry}, maxlen=10_000)
        self.redis.xack(self.keys.plans, GROUP, attempt)


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


def await_partitions(connect, count, stopping):
    """Returns once Redis has that many partitions. Ends the program if it has others: plans that nobody reads would wait in vain."""
    while not stopping.is_set():
        try:
            client = connect(COUNT_KEY)
            said = client.get(COUNT_KEY)
            disconnect(client)
            if said == str(count) or said is None and count == 1:
                return
            if said is not None:
                sys.exit(f"PARTITIONS={count}: {COUNT_KEY} says {said!r}, set PARTITIONS to that")
            log.info("waiting for a service that writes %s", COUNT_KEY)
        except redis.RedisError as error:
            log.error("Redis does not answer, trying again: %s", error)
        stopping.wait(AGAIN_SEC)


def main():
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    env = os.environ
    key_file = env.get("EXAMPLE_SIGNING_KEY_FILE")
    signer = key_file and Signer(key_file, env["BINANCE_BASE_URL"], env.get("QUANTUM_ACCOUNT", "main"))
    if not signer:
        log.warning("permits are unsigned: EXAMPLE_SIGNING_KEY_FILE is not set")
    consumer = env.get("INSTANCE") or f"{ISSUER}@{socket.gethostname()}"
    frozen = {symbol.strip() for symbol in env.get("EXAMPLE_FROZEN_SYMBOLS", "").split(",")}
    count = int(env.get("PARTITIONS") or 1)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())

    def connect_to(key):
        return connect(env["REDIS_URL"], key)

    def run(issuer):
        try:
            issuer.run()
        finally:
            # An error that nobody expected ends the others, too: whoever started the program starts it again.
            stopping.set()

    await_partitions(connect_to, count, stopping)
    with ThreadPoolExecutor(count) as pool:
        issuers = (Issuer(connect_to, at, count, signer, consumer, frozen, stopping) for at in range(count))
        for ended in [pool.submit(run, issuer) for issuer in issuers]:
            ended.result()


if __name__ == "__main__":
    main()
