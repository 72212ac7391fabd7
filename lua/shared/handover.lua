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
