-- One caller asks for its call: 0 = it may go out now; n > 0 = sleep so many microseconds and ask again with the same
-- ticket; -1 = its turn cannot come in time, and it has left the queue.
local state, queue, leases, flows = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local interval, burst, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[5])
local ticket, flow = ARGV[3], ARGV[4]
local longest, nap, lease = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local function whole(number)
  return string.format('%.0f', number)
end

-- Whoever has not asked again in time is dead and loses the place. A lease longer than any that is given is left from
-- before a step back of the clock; if its owner lives it enters anew.
local function remove(lowest, highest)
  for _, dead in ipairs(redis.call('ZRANGEBYSCORE', leases, lowest, highest)) do
    redis.call('ZREM', queue, dead)
    redis.call('ZREM', leases, dead)
  end
end
remove('-inf', whole(now))
remove(whole(now + nap + lease + 1), '+inf')

-- GCRA: `due` is never further ahead than the burst, so if it is, the clock was set back: as if the burst were used up.
local kept = redis.call('HMGET', state, 'due', 'virtual')
local due = math.min(math.max(tonumber(kept[1] or '0'), now), now + burst * interval)
local virtual = tonumber(kept[2] or '0')

-- Self-clocked fair queuing: a call's tag is its flow's last one plus its cost, and virtual time is where the queue
-- has come to. A flow that was quiet starts from now and has saved nothing up.
local tag = tonumber(redis.call('ZSCORE', queue, ticket) or '-1')
local is_new = tag < 0
local before
if is_new then
  tag = math.max(virtual, tonumber(redis.call('ZSCORE', flows, flow) or '0')) + cost
  before = redis.call('ZCOUNT', queue, '-inf', whole(tag))
else
  before = redis.call('ZRANK', queue, ticket)
end

local answer
local wait = due + (before + 1 - burst) * interval - now
if wait <= 0 then
  answer = 0
  due = due + interval
  local head = redis.call('ZRANGE', queue, 0, 0, 'WITHSCORES')
  -- Not the tag let go: one further back may go first while those before it sleep, and must not pull time along.
  if head[2] then virtual = math.max(virtual, math.min(tag, tonumber(head[2]))) end
  redis.call('ZREM', queue, ticket)
  redis.call('ZREM', leases, ticket)
  if is_new and head[2] then redis.call('ZADD', flows, whole(tag), flow) end
elseif wait > longest then
  answer = -1
  -- What was not had is not paid for.
  if redis.call('ZREM', queue, ticket) == 1 then redis.call('ZINCRBY', flows, -cost, flow) end
  redis.call('ZREM', leases, ticket)
else
  answer = math.min(wait, nap)
  redis.call('ZADD', leases, whole(now + answer + lease), ticket)
  if is_new then
    redis.call('ZADD', queue, whole(tag), ticket)
    redis.call('ZADD', flows, whole(tag), flow)
  end
end

if redis.call('EXISTS', queue) == 0 then
  -- Nobody waits: all begin anew, and nothing of any flow is kept.
  virtual = 0
  redis.call('DEL', flows)
else
  redis.call('ZREMRANGEBYSCORE', flows, '-inf', whole(virtual))
end
redis.call('HSET', state, 'due', whole(due), 'virtual', whole(virtual))
local keep = math.ceil((burst * interval + nap + lease) / 1000)
for _, key in ipairs(KEYS) do
  redis.call('PEXPIRE', key, keep)
end
return answer
