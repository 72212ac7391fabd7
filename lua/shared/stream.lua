-- A stream of the wrong type fails here, before anything is written. Nothing in a step makes it another type.
local streams_of_step = {}
local function expect_stream(key)
  if streams_of_step[key] then return end
  redis.call('XLEN', key)
  streams_of_step[key] = true
end
