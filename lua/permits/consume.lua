-- Spends every required permit of a plan's attempt together, or none. Everything is read and checked first; then exactly
-- one of four things happens: the permits are deleted, recorded as spent and the plan is handed over to the executor; the plan
-- is BLOCKED with its result; nothing changes because a permit may still arrive; or an earlier verdict is repeated.
-- The wait ends by Redis's clock or by the caller's, whichever is first. If a plan's opening is in the future, Redis's clock was
-- ahead then or has stepped back since: it counts as opened now, once, and waits from there.
-- Invariants I2 (spent once, for that plan, symbol and quantity), I3 and I4 (one handover, one result).
--
-- KEYS
--   plan         HASH, the plan's record
--   spent        STRING, records the spending; survives the operators' reset
--   waiting      ZSET of this symbol's waiting plans
--   executes     STREAM! apply.execute
--   handed_over  HASH! plan id → its execute entry, until its order has an outcome
--   results      STREAM! apply.result
--   kill_switch  STRING
--   kill_switch_seen STRING, the mark of the wire's kill switch
--   disarm       STRING
--   disarm_today STRING
--   ...issuer    permit key and block key of each required issuer, in list order
-- ARGV
--   plan_id      16 hex digits
--   halt         'kill_switch_active' if the caller's own configuration halts it, or ''
--   execute_ms   how long the executor may claim the order after this
--   grace_ms     how late after the deadline the last attempt may come
--   spent_sec    TTL of `spent`
--   dry_run_sec  its TTL after a dry run: no order can come of one, so it need not outlive the record for long
--   overdue_ms   how long ago the wait ended by the caller's monotonic clock, negative before its end, '' if not known
--   quantity_issuer whose permit carries side and quantity
--   ...issuer    name and verdict field (granted, allow; bare if its permit is the text 1) of each required issuer, in list order
-- REPLY
--   OK           replayed 0/1, symbol, wait_ms, safe_qty, mode
--   BLOCKED      replayed 0/1, symbol, wait_ms, reason, detail or '', then each issuer's permit TTL (s, -2 absent, -1 none)
--   WAITING      ms until the deadline, names of the missing issuers, joined by comma
--   GONE         no record that can be read: never opened, swept away by the operators' reset, or damaged while it waited
--@include shared/now.lua
--@include shared/halted.lua
--@include shared/hash_table.lua
--@include shared/result.lua
--@include shared/json.lua
--@include shared/handover.lua
--@include permits/judge.lua
--@include permits/quantity.lua
local plan, spent, waiting, executes, handed_over, results = unpack(KEYS, 1, 6)
local kill_switch, kill_switch_seen, disarm, disarm_today = unpack(KEYS, 7, 10)
local plan_id, halt, execute_ms, grace_ms, spent_sec = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local dry_run_sec, overdue_ms, quantity_issuer = ARGV[6], tonumber(ARGV[7]), ARGV[8]
local FIRST_ISSUER_KEY, FIRST_ISSUER_ARG = 11, 9

local record = hash(plan)
-- A plan that does not wait, or cannot be read, must not be found by a sweep again.
local is_damaged = record.state == 'WAITING' and not can_wait(record)
if record.state ~= 'WAITING' or is_damaged then redis.call('ZREM', waiting, plan_id) end
if not record.state or is_damaged then return { 'GONE' } end
local symbol = record.symbol
if record.safe_qty and record.state ~= 'WAITING' then return { 'OK', '1', symbol, record.wait_ms, record.safe_qty, record.mode } end
if record.state ~= 'WAITING' then
  return { 'BLOCKED', '1', symbol, record.wait_ms or '0', record.reason or '', record.detail or '' }
end

local now = now_ms()
local ahead_ms = math.max(tonumber(record.opened_at_ms) - now, 0)
local opened_at, deadline = tonumber(record.opened_at_ms) - ahead_ms, tonumber(record.deadline_ms) - ahead_ms
local wait_ms = int(now - opened_at)
local lacking, permit_keys, permits, texts, signed, stamps = {}, {}, {}, {}, {}, {}
local denied, malformed, detail
local held, may_be_halted = texts_of({ unpack(KEYS, FIRST_ISSUER_KEY) }, kill_switch, disarm, disarm_today)
for i = 0, (#ARGV - FIRST_ISSUER_ARG + 1) / 2 - 1 do
  local issuer, field = ARGV[FIRST_ISSUER_ARG + 2 * i], ARGV[FIRST_ISSUER_ARG + 2 * i + 1]
  local permit_key, block_key = KEYS[FIRST_ISSUER_KEY + 2 * i], KEYS[FIRST_ISSUER_KEY + 2 * i + 1]
  local verdict, what, json = judge(issuer, field, held[permit_key], held[block_key], symbol, record.attempt)
  permit_keys[#permit_keys + 1] = permit_key
  if verdict == 'granted' then
    permits[issuer], texts[issuer] = what, json
    if type(what.signed) == 'string' then
      signed[#signed + 1] = what.signed
      stamps[#stamps + 1] = issuer .. '_key'
      stamps[#stamps + 1] = what.signed:match('^v=1;kid=(%x+);') or ''
    end
  elseif verdict == 'missing' then lacking[#lacking + 1] = issuer
  elseif verdict == 'denied' then
    if not denied then denied, detail = issuer .. '_permit_denied', what end
  elseif not malformed then malformed = what end
  -- Issuers that only set keys do not write to the record; this completes it for them.
  if verdict ~= 'missing' and not record[issuer .. '_verdict'] then
    for _, word in ipairs({ issuer .. '_verdict', verdict, issuer .. '_seen_ms', int(now) }) do stamps[#stamps + 1] = word end
    if field == 'bare' then
      stamps[#stamps + 1] = issuer .. '_reason'
      stamps[#stamps + 1] = 'bare_permit'
    end
  end
end
local issuers = #permit_keys

local safe_qty, position_amt, max_qty, flaw, caps = quantities(permits, texts, quantity_issuer)
malformed = malformed or flaw

local left_ms = deadline - now
if overdue_ms then left_ms = math.min(left_ms, -overdue_ms) end
local reason = halt ~= '' and halt or halted(kill_switch, kill_switch_seen, disarm, disarm_today, not may_be_halted)
  or denied or malformed
if not reason and #lacking > 0 then
  if left_ms > 0 then
    if ahead_ms > 0 then
      redis.call('ZADD', waiting, int(deadline), plan_id)
      redis.call('HSET', plan, 'opened_at_ms', int(opened_at), 'deadline_ms', int(deadline))
    end
    return { 'WAITING', int(left_ms), table.concat(lacking, ',') }
  end
  reason = issuers == 2 and #lacking == 2 and 'missing_both' or 'missing_' .. table.concat(lacking, '_')
end
if not reason and left_ms < -grace_ms then reason = 'deadline_passed' end
-- Only if the quantity's issuer is not among the required ones.
if not reason and not safe_qty then reason = 'invalid_safe_close_qty' end
if reason ~= denied then detail = '' end

if reason then
  -- `waiting` is not read above: one of the wrong type fails here.
  redis.call('ZREM', waiting, plan_id)
  local ttls = {}
  for i, permit_key in ipairs(permit_keys) do ttls[i] = int(redis.call('TTL', permit_key)) end
  add_result(results, now, plan_id, symbol, 'BLOCKED', false, false, '[]', reason,
    { 'attempt', record.attempt, 'outcome', 'BLOCKED', 'reason', reason, 'detail', detail, 'wait_ms', wait_ms })
  redis.call('HSET', plan, 'state', 'BLOCKED', 'reason', reason, 'detail', detail, 'wait_ms', wait_ms,
    'verdict_at_ms', int(now), 'ended_at_ms', int(now), unpack(stamps))
  redis.call('DEL', unpack(permit_keys))
  return { 'BLOCKED', '0', symbol, wait_ms, reason, detail, unpack(ttls) }
end

for issuer, cap in pairs(caps) do
  if above(safe_qty, cap) then
    stamps[#stamps + 1] = issuer .. '_cap'
    stamps[#stamps + 1] = cap
  end
end
local dry_run = record.mode == 'dry_run'
redis.call('ZREM', waiting, plan_id)
-- A stream that cannot be written fails here, and the permits stay unspent.
local spending
if dry_run then
  spending = table.concat({ 'DRY_RUN', record.attempt, int(now), safe_qty }, ' ')
  stamps[#stamps + 1] = 'ended_at_ms'
  stamps[#stamps + 1] = int(now)
  add_result(results, now, plan_id, symbol, 'EXECUTE', false, true,
    '[{"step": ' .. quoted(record.step) .. ', "status": "dry_run", "details": "permits spent, no order in dry_run"}]', '',
    { 'attempt', record.attempt, 'outcome', 'DRY_RUN', 'wait_ms', wait_ms, 'safe_qty', safe_qty })
else
  record.position_amt, record.max_qty, record.valid_until_ms = position_amt, max_qty or '', int(now + execute_ms)
  record.opened_at_ms, record.proposed_ms = int(opened_at), record.proposed_ms or int(opened_at)
  record.safe_qty, record.wait_ms = safe_qty, wait_ms
  local entry_id, copy = hand_over(executes, handed_over, plan_id, entry_of(plan_id, record), table.concat(signed, '\n'))
  spending = spent_for(record.attempt, now, safe_qty, entry_id, symbol, copy)
  -- In case the index and `spent` are both lost, the record says all that was handed over. A copy there would be one long value,
  -- and Redis keeps a hash with one in four times the memory.
  for _, name in ipairs({ 'position_amt', 'max_qty', 'valid_until_ms', 'opened_at_ms', 'proposed_ms' }) do
    stamps[#stamps + 1] = name
    stamps[#stamps + 1] = record[name]
  end
  stamps[#stamps + 1] = 'entry_id'
  stamps[#stamps + 1] = entry_id
end
redis.call('DEL', unpack(permit_keys))
redis.call('SET', spent, spending, 'EX', dry_run and dry_run_sec or spent_sec)
redis.call('HSET', plan, 'state', dry_run and 'DRY_RUN' or 'PERMITTED', 'wait_ms', wait_ms, 'safe_qty', safe_qty,
  'verdict_at_ms', int(now), unpack(stamps))
return { 'OK', '0', symbol, wait_ms, safe_qty, record.mode }
