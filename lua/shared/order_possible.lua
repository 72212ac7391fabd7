-- Whether an order of the plan was or may still be sent, and the number of the attempt that the order key names. Both keys
-- outlive the operators' reset. A client order id means that the order was claimed, so it may have been sent: such a plan
-- never opens again, whatever its order's outcome, because an exchange that lags may not yet show a filled order. Spent permits
-- also close the plan, unless their own attempt was refused before its claim (an order key without that id), or was a dry run.
local function order_possible(spent, order)
  if redis.call('EXISTS', spent, order) == 0 then return false end
  local state, attempt, attempt_no, claimed =
    unpack(redis.call('HMGET', order, 'state', 'attempt', 'attempt_no', 'client_order_id'))
  local verdict, spent_attempt = (redis.call('GET', spent) or ''):match('^(%S+) (%S+)')
  return claimed or (state and state ~= 'NOT_PLACED') or (verdict == 'OK' and spent_attempt ~= attempt), attempt_no
end
