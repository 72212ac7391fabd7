-- A key of the wrong type fails here, before anything is written. Nothing in a step makes it another type, so a step asks once.
local expected = {}
local function expect(probe, key)
  if expected[key] then return end
  redis.call(probe, key)
  expected[key] = true
end
local function expect_stream(key) expect('XLEN', key) end
local function expect_hash(key) expect('HLEN', key) end
