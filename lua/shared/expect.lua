-- A key of the wrong type fails here, before anything is written. A step never changes a key's type, so it checks once.
local expected = {}
local function expect(probe, key)
  if expected[key] then return end
  redis.call(probe, key)
  expected[key] = true
end
local function expect_stream(key) expect('XLEN', key) end
local function expect_hash(key) expect('HLEN', key) end
