--@include shared/waiting.lua
-- The `apply.execute` entry of a plan. Its record has all of it under the same names.
local function entry_of(plan_id, record)
  local entry = { 'plan_id', plan_id }
  for _, name in ipairs({ 'symbol', 'attempt', 'attempt_no', 'step', 'close_pct', 'position_amt', 'safe_qty', 'max_qty',
    'valid_until_ms', 'opened_at_ms', 'proposed_ms', 'mode', 'wait_ms' }) do
    entry[#entry + 1] = name
    entry[#entry + 1] = record[name] or ''
  end
  return entry
end

-- The copy that a handover keeps, from its plan's record; nil if the record lacks what it needs.
local function copy_from(plan_id, record)
  local is_whole = can_wait(record) and fits(record.entry_id, '^%d+%-%d+$') and fits(record.position_amt, '^%-?%d+%.?%d*$')
    and fits(record.safe_qty, '^%d+%.?%d*$') and fits(record.valid_until_ms, '^%d+$') and fits(record.proposed_ms, '^%d+$')
    and fits(record.wait_ms, '^%d+$')
  if not is_whole then return nil end
  local entry = entry_of(plan_id, record)
  local fields = #entry
  entry[fields + 1], entry[fields + 2] = 'entry_id', record.entry_id
  return cjson.encode(entry)
end

-- Hands a plan over to the executor: appends the `apply.execute` entry, and keeps a copy until its order has an outcome,
-- because the entry may be lost before it is read. The signed texts are in the entry alone: no copy of a handover leads to an order.
-- Returns the entry's id, and the copy.
local function hand_over(executes, handed_over, plan_id, entry, signed, class)
  local fields = #entry
  entry[fields + 1], entry[fields + 2] = 'signed', signed
  local entry_id = redis.call('XADD', executes, '*', unpack(entry))
  entry[fields + 1], entry[fields + 2] = 'entry_id', entry_id
  if class then entry[fields + 3], entry[fields + 4] = 'class', class end
  local copy = cjson.encode(entry)
  redis.call('HSET', handed_over, plan_id, copy)
  return entry_id, copy
end

-- What `spent` says of a plan that was handed over. It has the copy as well, in case index and record are both lost.
local function spent_for(attempt, now, safe_qty, entry_id, symbol, copy)
  return table.concat({ 'OK', attempt, int(now), safe_qty, entry_id, symbol }, ' ') .. '\n' .. copy
end
