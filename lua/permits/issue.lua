-- An issuer's answer to one attempt of a plan, in one step: the limits, the reservation, the permit or the denial, the
-- stamp in the plan's record, the wake-up on `apply.permit` and the ack of the plan entry. Two issuers of one kind
-- cannot both let the last one through, and a redelivered entry finds its answer and is only acknowledged.
-- The attempt is the id of the `apply.plan` entry. A plan without a record is answered too, while it is younger than a
-- permit: the Python apply-layer keeps none. A plan that has ended, or a later attempt's record, gets no permit.
-- Invariants I2, I5.
--
-- KEYS
--   plan         HASH, the plan's record
--   permit       key of this issuer's permit
--   denial       key of its denial (may be the same key)
--   spent        STRING
--   kill_switch  STRING
--   kill_switch_seen STRING, the mark of the wire's kill switch
--   disarm       STRING
--   disarm_today STRING
--   permits      STREAM! apply.permit
--   plans        STREAM! apply.plan
--   open         HASH of the reservations of this issuer and symbol, see permits/reservations.lua
--   expiry       ZSET
--   totals       HASH
--   executions   ZSET; only where a limit counts them
--   charges      HASH
--   unsettled    ZSET of this symbol's claimed orders: while there is one, no reservation runs out
--   booked       STRING, what this issuer knows of the plan's end, see permits/settle_reservation.lua
-- ARGV
--   plan_id      16 hex digits
--   symbol       BTCUSDT
--   issuer       governor, p33
--   attempt      id of the plan entry
--   group        consumer group of the plan entry
--   verdict      granted denied
--   reason       why
--   permit_json  the permit without its closing brace; created_at and attempt are added here
--   context_json of a denial
--   permit_sec   TTL of the permit
--   denial_sec   TTL of the denial
--   amounts      JSON {name: whole number as text} to reserve, or '' for none
--   limits       JSON [{reason, kind, amount, window_ms, max}], the max of an amount as text; kind: count (executions in
--                window_ms), day (charged and reserved today), open (reserved; beyond it, or if totals' `releases` is no
--                longer its as_of, nothing is written and the caller decides again)
--   reserve_ms   when the reservation runs out
-- REPLY
--   GRANTED      the permit is there
--   DENIED       reason by_orders: the denial is there; by_orders is 1 if the orders of the window use up the limit without
--                any open reservation, else 0. A reservation may not lead to an order, so it denies but proves no burst
--   UNBALANCED   sums or counts are not what the scripts left: permits/balance rebuilds them; nothing was changed
--   CONFLICT     reserved amount: other reservations leave too little for this quantity; nothing was changed
--   REPLAYED     this attempt has its answer; the entry is acknowledged
--   ENDED        the plan ended, waits in another attempt, or has no record and is old; the entry is acknowledged
--@include shared/now.lua
--@include shared/halted.lua
--@include shared/json.lua
--@include shared/hash_table.lua
--@include permits/reservations.lua
--@include permits/unrecorded.lua
local plan, permit, denial, spent, kill_switch, kill_switch_seen, disarm, disarm_today = unpack(KEYS, 1, 8)
local permits, plans, open, expiry, totals, executions, charges, unsettled, booked = unpack(KEYS, 9, 17)
local plan_id, symbol, issuer, attempt, group, verdict, reason = unpack(ARGV, 1, 7)
local permit_json, context_json, permit_sec, denial_sec, amounts, limits, reserve_ms = unpack(ARGV, 8, 14)

local now = now_ms()
local overdue = run_out(expiry, now)
-- While an order is unsettled, it may belong to any of these attempts, so none of them expires.
local gone = #overdue > 0 and redis.call('ZCARD', unsettled) > 0 and {} or overdue

local function acknowledge(...)
  redis.call('XACK', plans, group, attempt)
  return { ... }
end

local state, record_attempt, stamped, answered = unpack(redis.call('HMGET', plan, 'state', 'attempt', issuer .. '_verdict', 'answers'))
local fate, fate_ms
-- Mostly nothing halts and nothing is booked: one command says so.
local is_plain = redis.call('EXISTS', booked, kill_switch, disarm, disarm_today) == 0
local booking = not is_plain and redis.call('GET', booked)
if booking then fate, fate_ms = booking:match('^(%S+) (%d+)') end
local may_have_order = fate == 'executed'
if not state then
  local status = unrecorded_status(spent, permit, denial, plans, group, attempt, fate_ms, now - tonumber(permit_sec) * 1000)
  if status then return acknowledge(status) end
  may_have_order = may_have_order or is_unsettled(expiry, permit, plan_id, now)
elseif record_attempt ~= attempt then return acknowledge('ENDED')
elseif stamped then return acknowledge('REPLAYED')
elseif state ~= 'WAITING' then return acknowledge('ENDED') end
local reservation = state and attempt or plan_id

if verdict == 'granted' and may_have_order then verdict, reason, context_json = 'denied', 'already_executed', '{}' end
if verdict == 'granted' then
  local halt = halted(kill_switch, kill_switch_seen, disarm, disarm_today, is_plain)
  if halt then verdict, reason, context_json = 'denied', halt, '{}' end
end
local sums = (amounts ~= '' or #gone > 0) and read_sums(totals, open, charges)
if verdict == 'granted' and limits ~= '' and not sums.were_right then return { 'UNBALANCED' } end
local releases = sums and sums.values.releases or '0'
for _, old in ipairs(gone) do release(sums, open, old, true) end
local wanted = amounts ~= '' and parsed(amounts) or {}
local counted, by_orders = nil, false
if verdict == 'granted' and limits ~= '' then
  local function reserved(name) return whole(sums.values['reserved:' .. name]) end
  for _, limit in ipairs(parsed(limits)) do
    local used, adding, exceeds
    if limit.kind == 'count' then
      if not counted then
        counted = redis.call('ZCARD', executions)
        if lacks_counts(counted, open, charges) then return { 'UNBALANCED' } end
      end
      adding = 1
      -- No window holds more than all. Mostly that is below the limit, and no window needs to be counted.
      if counted + adding > limit.max then
        -- What lies in the future counts, too.
        used = redis.call('ZCOUNT', executions, int(now - limit.window_ms), '+inf')
        for _, old in ipairs(gone) do
          local at = redis.call('ZSCORE', executions, old)
          if at and tonumber(at) >= now - limit.window_ms then used = used - 1 end
        end
        exceeds = used + adding > limit.max
      end
    elseif limit.kind == 'day' then
      used, adding = plus(charged(sums.values, now, limit.amount), reserved(limit.amount)), whole(wanted[limit.amount])
      exceeds = more(plus(used, adding), whole(limit.max))
    else
      used, adding = reserved(limit.amount), whole(wanted[limit.amount])
      local outdated = limit.as_of and limit.as_of ~= releases
      if outdated or more(plus(used, adding), whole(limit.max)) then return { 'CONFLICT', used } end
    end
    if exceeds and verdict == 'granted' then
      verdict, reason = 'denied', limit.reason
      local context = '{"used": ' .. used .. ', "adding": ' .. adding .. ', "max": ' .. limit.max
      if limit.kind == 'count' then
        local orders = orders_since(executions, now - limit.window_ms)
        -- A limit of 0 refuses by itself, without any order.
        by_orders = orders > 0 and orders >= limit.max
        context = context .. ', "orders": ' .. orders
      end
      context_json = context .. '}'
    end
  end
end

local created_at = string.format('%.3f', now / 1000)
local tail = ', "created_at": ' .. created_at .. ', "attempt": "' .. attempt .. '"}'
for _, old in ipairs(gone) do remove(open, expiry, executions, old) end
-- Those that are not gone count for as long again.
if gone ~= overdue then
  for _, old in ipairs(overdue) do redis.call('ZADD', expiry, int(now + tonumber(reserve_ms)), old) end
end
-- The reservation before the permit: if the script fails in between, no permit exists without a reservation.
if verdict == 'granted' and amounts ~= '' then
  if redis.call('HSETNX', open, reservation, amounts) == 0 then
    -- An earlier attempt of a plan without a record stands under the same name.
    release(sums, open, reservation, true)
    remove(open, expiry, executions, reservation)
    redis.call('HSET', open, reservation, amounts)
  end
  redis.call('ZADD', expiry, int(now + tonumber(reserve_ms)), reservation)
  for name, amount in pairs(wanted) do change(sums, 'reserved:' .. name, plus, amount) end
  if counted then redis.call('ZADD', executions, int(now), reservation) end
end
if sums then write_sums(totals, sums) end
if verdict == 'granted' then
  redis.call('SET', permit, permit_json .. tail, 'EX', permit_sec)
else
  local body = denial == permit and '{"allow": false, "symbol": ' .. quoted(symbol) .. ', "reason": ' .. quoted(reason) .. ', "context": ' .. context_json
    or '{"reason": ' .. quoted(reason) .. ', "timestamp": ' .. created_at .. ', "symbol": ' .. quoted(symbol) .. ', "context": ' .. context_json
  redis.call('SET', denial, body .. tail, 'EX', denial_sec)
end
-- How many issuers have answered: a process that waits for all of them need not check before the last.
local answers = ''
if state then
  answers = int((tonumber(answered or '0') or 0) + 1)
  redis.call('HSET', plan, issuer .. '_verdict', verdict, issuer .. '_reason', reason, issuer .. '_at_ms', int(now), 'answers', answers)
end
redis.call('XADD', permits, '*', 'plan_id', plan_id, 'symbol', symbol, 'issuer', issuer, 'verdict', verdict,
  'reason', reason, 'issued_at_ms', int(now), 'attempt', attempt, 'answers', answers)
if verdict == 'granted' then return acknowledge('GRANTED') end
return acknowledge('DENIED', reason, by_orders and '1' or '0')
