-- Appends an `apply.result` entry in the wire's field order (docs/wire.md, "Streams"); `extra` are our own fields after them.
local function add_result(stream, now, plan_id, symbol, decision, executed, would_execute, steps_results, reason, extra)
  return redis.call('XADD', stream, '*', 'plan_id', plan_id, 'symbol', symbol, 'decision', decision,
    'executed', executed and 'True' or 'False', 'would_execute', would_execute and 'True' or 'False',
    'steps_results', steps_results, 'error', reason, 'timestamp', int(math.floor(now / 1000)),
    'settled_at_ms', int(now), unpack(extra))
end
-- An order that the exchange's limit made smaller than its plan says so: the rest is left to the next proposal.
local function with_cap(extra, capped_by_venue)
  for _, text in ipairs(capped_by_venue == '1' and { 'capped_by_venue', 'True' } or {}) do extra[#extra + 1] = text end
  return extra
end
-- An operator's plan says so: its result is charged to no limit, and starts no cooldown.
local function with_class(extra, class)
  if class and class ~= '' then extra[#extra + 1], extra[#extra + 2] = 'class', class end
  return extra
end
-- What the plan's record, if it still exists, says about the wait: the operators' reset may have deleted it.
local function with_wait(extra, wait_ms, safe_qty)
  for _, text in ipairs(wait_ms and safe_qty and { 'wait_ms', wait_ms, 'safe_qty', safe_qty } or {}) do extra[#extra + 1] = text end
  return extra
end
