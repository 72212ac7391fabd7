-- Counts what the processes spend of one of the exchange's limits, and gives each a block of what is left, so that the sum
-- stays below the ceiling even if they cannot ask again. Each process tells totals, not additions, so a call that runs twice
-- counts once. A block is half of what is free, or what its process is about to spend if that is more and free; n equal
-- processes then hold 1/(n+1) each. Windows are those of Redis's clock.
--
-- KEYS
--   budget       HASH: window, limit, reported by the exchange, and for each process spent:<process> and held:<process>
-- ARGV
--   process      of one run: a process that starts again is another one
--   window_ms    how long the exchange counts until it begins again at 0
--   told_window  the window that spent and reported belong to, or '': they count only if it is still the current one
--   limit        the exchange's
--   ceiling      what is spent and held by all together must not exceed it
--   spent        by this process in the window, blocks or not
--   holds        1 if it wants a block
--   wanted       how large a block it needs, or 0
--   reported     the exchange's own count, or 0
-- REPLY
--   DRAWN        the block, what others have spent, the current window, ms until it ends
--@include shared/now.lua
--@include shared/json.lua
local budget = KEYS[1]
local process, window_ms, told_window, limit = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local ceiling, spent, holds = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7] == '1'
local wanted, reported = tonumber(ARGV[8]), tonumber(ARGV[9])

local now = now_ms()
local window = math.floor(now / window_ms)
-- A value of the wrong type says nothing and is replaced. So is the count of another window.
local flat = redis.pcall('HGETALL', budget)
local counted = {}
for i = 1, flat.err and 0 or #flat, 2 do counted[flat[i]] = flat[i + 1] end
local is_new = tonumber(counted.window) ~= window
if is_new then counted = {} end
if told_window ~= window then spent, reported = 0, 0 end

local others_spent, others_held = 0, 0
for field, value in pairs(counted) do
  local name, whose = field:match('^(%l+):(.+)$')
  if name == 'spent' and whose ~= process then others_spent = others_spent + (tonumber(value) or 0) end
  if name == 'held' and whose ~= process then others_held = others_held + (tonumber(value) or 0) end
end
reported = math.max(reported, tonumber(counted.reported) or 0)
-- Everyone else at the address, or on the account: the larger count.
local others = math.max(others_spent, reported - spent)
local free = ceiling - spent - others - others_held
local held = holds and math.max(0, math.floor(free / 2), math.min(free, wanted)) or 0

if is_new then redis.call('DEL', budget) end
redis.call('HSET', budget, 'window', int(window), 'limit', limit, 'reported', int(reported),
  'spent:' .. process, int(spent), 'held:' .. process, int(held))
redis.call('PEXPIRE', budget, 2 * window_ms)
return { 'DRAWN', int(held), int(others), int(window), int((window + 1) * window_ms - now) }
