-- Appends an `operator.audit` entry: who changed what, when and why. It is written in the step of the change and before it, so
-- no change goes unrecorded. The exception is the kill switch, which halts even if it cannot be recorded.
local function add_audit(stream, now, action, target, who, reason, detail)
  redis.call('XADD', stream, '*', 'action', action, 'target', target, 'who', who, 'reason', reason, 'at_ms', int(now),
    'detail', detail)
end
