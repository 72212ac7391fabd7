-- Appends an `operator.audit` entry: who changed what, when and why. In the step of the change and before it, so that no
-- change goes unrecorded; but for the kill switch, which halts whether it can be recorded or not.
local function add_audit(stream, now, action, target, who, reason, detail)
  redis.call('XADD', stream, '*', 'action', action, 'target', target, 'who', who, 'reason', reason, 'at_ms', int(now),
    'detail', detail)
end
