-- Opens an operator's plan, spends the operator's permit and hands the plan over, in one step: no exit ever waits, and none is
-- left half open. No halt is read here: the executor verifies the operator's signature, and claims past halts by that alone.
-- Nothing that this writes is believed by the executor without the signature. Invariants I3 (one handover) and I4.
--
-- KEYS
--   plan         HASH! the plan's record
--   spent        STRING, records the spending; survives the operators' reset
--   order        HASH! the executor's claim
--   plans        STREAM! apply.plan
--   executes     STREAM! apply.execute
--   handed_over  HASH! plan id → its execute entry, until its order has an outcome
--   audit        STREAM! operator.audit
-- ARGV
--   plan_id      16 hex digits, random
--   symbol       BTCUSDT; of a drill ACCOUNT
--   class        operator drill
--   mode         paper testnet
--   step         CLOSE_BY_OPERATOR
--   close_pct    share of the position, 0 to 100
--   position_amt the position that the operator was shown, signed; of a drill 0
--   safe_qty     the largest quantity that the operator signed; of a drill 0
--   until_ms     when the signature ends: after this nothing is claimed
--   signed       the operator's signed text
--   operator     who signed it
--   action       exit.flatten exit.close exit.drill
--   who          user@host
--   reason       why
--   spent_sec    TTL of `spent`
--   record_sec   TTL of the record
-- REPLY
--   OPENED       attempt, id of the execute entry
--   KNOWN        attempt, id of the execute entry, each or '' if that is lost: the plan id was used before; nothing was changed
--   LATE         now (ms): the signature has ended; nothing was changed
--@include shared/now.lua
--@include shared/json.lua
--@include shared/audit.lua
--@include shared/handover.lua
local plan, spent, order, plans, executes, handed_over, audit = unpack(KEYS)
local plan_id, symbol, class, mode, step, close_pct, position_amt, safe_qty = unpack(ARGV, 1, 8)
local until_ms, signed, operator, action, who, reason, spent_sec, record_sec = unpack(ARGV, 9, 16)

local paid = redis.call('GET', spent)
local opened = redis.call('HGET', plan, 'attempt')
local claimed, claimed_entry = unpack(redis.call('HMGET', order, 'attempt', 'entry_id'))
if paid or redis.call('EXISTS', plan, order) > 0 then
  local attempt, entry_id = (paid or ''):match('^%S+ (%S+) %S+ %S+ (%S+)')
  return { 'KNOWN', attempt or opened or claimed or '', entry_id or claimed_entry or '' }
end
local now = now_ms()
if now > tonumber(until_ms) then return { 'LATE', int(now) } end

-- There is none. But once a script has begun to write, Redis lets it finish even if it is out of memory.
redis.call('DEL', plan)
add_audit(audit, now, action, symbol, who, reason, '{"plan_id": ' .. quoted(plan_id) .. ', "operator": ' .. quoted(operator)
  .. ', "position": ' .. quoted(position_amt) .. ', "quantity": ' .. quoted(safe_qty) .. '}')
local attempt = redis.call('XADD', plans, '*', 'plan_id', plan_id, 'symbol', symbol, 'action', step, 'kill_score', '0.0',
  'k_regime_flip', '0.0', 'k_sigma_spike', '0.0', 'k_ts_drop', '0.0', 'k_age_penalty', '0.0', 'new_sl_proposed', '',
  'R_net', '', 'decision', 'EXECUTE', 'reason_codes', '',
  'steps', '[{"step": ' .. quoted(step) .. ', "type": "market_reduce_only", "side": "close", "pct": ' .. close_pct .. '}]',
  'close_qty', '0.0', 'price', '', 'timestamp', int(math.floor(now / 1000)), 'attempt_no', '1', 'mode', mode, 'class', class)
local entry_id, copy = hand_over(executes, handed_over, plan_id, { 'plan_id', plan_id, 'symbol', symbol, 'attempt', attempt,
  'attempt_no', '1', 'step', step, 'close_pct', close_pct, 'position_amt', position_amt, 'safe_qty', safe_qty, 'max_qty', '',
  'valid_until_ms', until_ms, 'opened_at_ms', int(now), 'proposed_ms', int(now), 'mode', mode, 'wait_ms', '0' }, signed, class)
redis.call('SET', spent, spent_for(attempt, now, safe_qty, entry_id, symbol, copy), 'EX', spent_sec)
redis.call('HSET', plan, 'symbol', symbol, 'mode', mode, 'step', step, 'close_pct', close_pct, 'attempt', attempt,
  'attempt_no', '1', 'opened_at_ms', int(now), 'proposed_ms', int(now), 'state', 'PERMITTED', 'class', class,
  'operator', operator, 'exit_why', reason, 'wait_ms', '0', 'safe_qty', safe_qty, 'verdict_at_ms', int(now), 'entry_id', entry_id)
redis.call('EXPIRE', plan, record_sec)
return { 'OPENED', attempt, entry_id }
