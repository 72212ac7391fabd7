-- Whether an order of the plan exists or may still come of permits that were spent, and the number of the attempt that
-- was claimed last. Both keys outlive the operators' reset; they free the plan only if the very attempt that spent led to
-- no order: a dry run, or one proven not placed.
local function order_possible(spent, order)
  local state, attempt, attempt_no = unpack(redis.call('HMGET', order, 'state', 'attempt', 'attempt_no'))
  local verdict, spent_attempt = (redis.call('GET', spent) or ''):match('^(%S+) (%S+)')
  return (state and state ~= 'NOT_PLACED') or (verdict == 'OK' and spent_attempt ~= attempt), attempt_no
end
