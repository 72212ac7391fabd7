-- Whether an order of the plan was or may still be sent, and the number of the attempt that the order key names. Both keys
-- outlive the operators' reset. A client order id means claimed, so perhaps sent: such a plan never opens again, whatever
-- became of its order, for a venue that lags denies an order that it has filled. Permits that were spent close the plan,
-- too, unless their very attempt was refused before its claim (an order key without that id), or was a dry run.
local function order_possible(spent, order)
  local state, attempt, attempt_no, claimed =
    unpack(redis.call('HMGET', order, 'state', 'attempt', 'attempt_no', 'client_order_id'))
  local verdict, spent_attempt = (redis.call('GET', spent) or ''):match('^(%S+) (%S+)')
  return claimed or (state and state ~= 'NOT_PLACED') or (verdict == 'OK' and spent_attempt ~= attempt), attempt_no
end
