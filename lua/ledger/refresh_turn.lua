-- Decides which replica refreshes the positions, so there is one refresh per interval however many replicas run. A turn ends
-- by itself: a replica that dies or fails in it costs one interval. A future timestamp counts as now: Redis's clock was ahead
-- when it was written, or has stepped back since.
--
-- KEYS
--   turn         HASH: begun_ms of the last turn, done_ms of the last refresh that succeeded
-- ARGV
--   every_ms     the interval
--   done         1 if a refresh by the caller has succeeded since its last call, or ''
--   kept         1 if the exchange's events keep all positions current at the caller, which counts as a refresh; 0 if they
--                have just ceased to, so that one is due; or ''
-- REPLY
--   TURN         ms since the last refresh that succeeded, or '': refresh now
--   WAIT         the same, ms until the next turn is due
--@include shared/now.lua
local turn = KEYS[1]
local every_ms, done, kept = tonumber(ARGV[1]), ARGV[2] == '1', ARGV[3]

local now = now_ms()
-- A value of the wrong type says nothing and is replaced.
local times = redis.pcall('HMGET', turn, 'begun_ms', 'done_ms')
if times.err then times = {} end
local begun, refreshed = tonumber(times[1] or nil), tonumber(times[2] or nil)
local is_ahead = begun and begun > now or refreshed and refreshed > now
if done or kept == '1' then refreshed = now end
if refreshed then refreshed = math.min(refreshed, now) end
local is_due = not begun or begun > now or now - begun >= every_ms or kept == '0'
-- A caller that keeps them asks more often than it must write.
local renews = kept == '1' and (is_due or now - begun >= every_ms / 4)
if kept == '1' then is_due = false end

if is_due or done or renews or is_ahead then
  if is_due or renews then begun = now end
  redis.call('DEL', turn)
  if refreshed then
    redis.call('HSET', turn, 'begun_ms', int(begun), 'done_ms', int(refreshed))
  else
    redis.call('HSET', turn, 'begun_ms', int(begun))
  end
end
local ago = refreshed and int(now - refreshed) or ''
if is_due then return { 'TURN', ago } end
return { 'WAIT', ago, int(begun + every_ms - now) }
