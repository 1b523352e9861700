#!lua name=martlet_1

-- What martlet does inside Redis: each function is one step that nobody comes between. Several of
-- the same kind go by one call.
--
-- Keys of a channel, all in one slot:
--   m  hash    its history: e epoch, o newest offset, t time of the newest, r the process that
--              numbered it, x when its time to live was set, pe and po the end of what it has in
--              common with the history it went on from
--   s  stream  the kept publications, by offset-time
--   l  sharded channel: P publications, J joins, L leaves
--   w  hash    members: the client, and its node before its record
--   k  string  the receipt of an idempotency key
-- and of its partition: seed, and for each node at:NODE, in how many members it has in a channel.

local REMEMBERED = 30 * 24 * 3600 * 1000
local KEYS_KEPT = 300 * 1000
local HOUR = 3600 * 1000

-- Which process this is. A restart and a failover are both another one, and both may have lost
-- the newest publications.
local process = nil
local function this_process()
  if not process then
    process = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  end
  return process
end

local function clock()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function whole(number) return string.format('%.0f', number) end

-- An epoch: 40 bits that look random.
local function epoch_of(text) return tonumber(string.sub(redis.sha1hex(text), 1, 10), 16) end

-- The history of a channel. `fresh` is random, and new in every call.
local function history(meta, seed, name, fresh)
  local h = redis.call('HMGET', meta, 'e', 'o', 't', 'r', 'x', 'pe', 'po')
  local process = this_process()
  if not h[1] then
    -- Nobody has published in it: its epoch follows from its name, so that looking leaves nothing.
    local random = redis.call('GET', seed)
    if not random then
      random = fresh
      redis.call('SET', seed, random)
    end
    return {e = epoch_of(random .. process .. name), o = 0, t = 0, x = 0, new = true}
  end
  local found = {e = tonumber(h[1]), o = tonumber(h[2]), t = tonumber(h[3]), x = tonumber(h[5]),
    pe = h[6], po = h[7]}
  if h[4] ~= process then
    found.pe, found.po = h[1], h[2]
    found.e = epoch_of(fresh .. name)
    redis.call('HSET', meta, 'e', whole(found.e), 'r', process, 'pe', found.pe, 'po', found.po)
  end
  return found
end

local function split(id)
  local offset, time = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(offset), tonumber(time)
end

-- The first offset from `low` to `high` whose time is `time` or later; `high` + 1 if there is none.
local function first_since(stream, low, high, time)
  while low <= high do
    local middle = math.floor((low + high) / 2)
    local found = redis.call('XRANGE', stream, whole(middle), '+', 'COUNT', 1)
    local offset, at = high + 1, time
    if found[1] then offset, at = split(found[1][1]) end
    if at >= time then high = middle - 1 else low = offset + 1 end
  end
  return low
end

-- The oldest offset that is kept; one past the newest if there is none.
local function oldest(stream, newest, size, horizon)
  if size == 0 then return newest + 1 end
  local front = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)
  if not front[1] then return newest + 1 end
  local first, time = split(front[1][1])
  first = math.max(first, newest - size + 1)
  if time < horizon then first = first_since(stream, first, newest, horizon) end
  return first
end

-- keys: for each draft m, s, l, seed, k (or m again where there is no key).
-- args: a random text; for each draft the channel, how many are kept and how long in
-- milliseconds, what makes its id unique if it has a key, and the record.
-- Gives for each "epoch offset time", and what makes the id unique if it is a repeat.
local function append(keys, args)
  local receipts, fresh, now = {}, args[1], clock()
  for i = 1, #keys / 5 do
    local meta, stream, live, seed, key = unpack(keys, i * 5 - 4, i * 5)
    local name, size, age, unique, record = unpack(args, i * 5 - 3, i * 5 + 1)
    local known = unique ~= '' and redis.call('GET', key)
    if known then
      receipts[i] = known
    else
      local h = history(meta, seed, name, fresh)
      local time, offset = math.max(now, h.t), h.o + 1
      local place = whole(h.e) .. ' ' .. whole(offset) .. ' ' .. whole(time)
      size, age = tonumber(size), tonumber(age)
      local renew = math.min(age / 8, HOUR)
      if h.new then
        redis.call('HSET', meta, 'e', whole(h.e), 'o', whole(offset), 't', whole(time), 'r',
          this_process(), 'x', whole(time))
      else
        redis.call('HSET', meta, 'o', whole(offset), 't', whole(time))
      end
      if size > 0 then
        redis.call('XADD', stream, 'MAXLEN', size, whole(offset) .. '-' .. whole(time), 'd', record)
        if offset % 64 == 0 then
          local first = oldest(stream, offset, size, time - age)
          redis.call('XTRIM', stream, 'MINID', whole(first))
        end
      end
      if h.new or time - h.x >= renew or time < h.x then
        redis.call('HSET', meta, 'x', whole(time))
        redis.call('PEXPIRE', meta, whole(math.max(REMEMBERED, age * 2)))
        if size > 0 then redis.call('PEXPIRE', stream, whole(age + renew + 1000)) end
      end
      if unique ~= '' then
        redis.call('SET', key, place .. ' ' .. unique, 'PX', KEYS_KEPT)
      end
      redis.call('SPUBLISH', live, 'P' .. place .. ' ' .. record)
      receipts[i] = place
    end
  end
  return receipts
end

-- keys: for each page m, s, seed.
-- args: a random text; for each page the channel, a or s or u (after an offset, since a time, until
-- an offset), that offset or time, the most publications, how many are kept and how long.
-- Gives for each a list: "epoch newest oldest before previous-epoch previous-offset", then ids and
-- records in turn.
local function read(keys, args)
  local pages, fresh, now = {}, args[1], clock()
  for i = 1, #keys / 3 do
    local meta, stream, seed = unpack(keys, i * 3 - 2, i * 3)
    local name, kind, value, limit, size, age = unpack(args, i * 6 - 4, i * 6 + 1)
    value, limit, size, age = tonumber(value), tonumber(limit), tonumber(size), tonumber(age)
    local h = history(meta, seed, name, fresh)
    local time = math.max(now, h.t)
    local first = oldest(stream, h.o, size, time - age)
    local before, found = value, {}
    if kind == 's' then before = first_since(stream, first, h.o, value) - 1 end
    if limit > 0 and first <= h.o then
      if kind == 'u' then
        if value >= first then
          local until_offset = whole(math.min(value, h.o))
          found = redis.call('XREVRANGE', stream, until_offset, whole(first), 'COUNT', limit)
        end
      else
        local from = math.max(before + 1, first)
        found = redis.call('XRANGE', stream, whole(from), '+', 'COUNT', limit)
      end
    end
    local page = {whole(h.e) .. ' ' .. whole(h.o) .. ' ' .. whole(first) .. ' ' .. whole(before)
      .. ' ' .. (h.pe or '-') .. ' ' .. (h.po or '-')}
    for _, entry in ipairs(found) do
      page[#page + 1] = entry[1]
      page[#page + 1] = entry[2][2]
    end
    pages[i] = page
  end
  return pages
end

local function fewer(at, name)
  if redis.call('HINCRBY', at, name, -1) <= 0 then redis.call('HDEL', at, name) end
end

-- keys: for each member w, l, at:NODE. args: the node; what the names of at: begin with, for each
-- the channel, J or L, the client and its record.
local function move(keys, args)
  local node, done = args[1], 0
  for i = 1, #keys / 3 do
    local who, live, at = unpack(keys, i * 3 - 2, i * 3)
    local name, kind, client, record = unpack(args, i * 4 - 2, i * 4 + 1)
    local before = redis.call('HGET', who, client)
    local holder = before and string.sub(before, 1, #node)
    if kind == 'J' then
      redis.call('HSET', who, client, node .. record)
      if holder ~= node then redis.call('HINCRBY', at, name, 1) end
      if not before then
        redis.call('SPUBLISH', live, 'J' .. record)
      elseif holder ~= node then
        fewer(string.sub(at, 1, -1 - #node) .. holder, name)
      end
    elseif holder == node then
      redis.call('HDEL', who, client)
      fewer(at, name)
      redis.call('SPUBLISH', live, 'L' .. string.sub(before, #node + 1))
    end
    done = done + 1
  end
  return done
end

-- keys: for each channel w. args: the length of a node's name; for each the most members.
-- Gives for each a list: how many there are, and records.
local function members(keys, args)
  local lists, length = {}, tonumber(args[1])
  for i, who in ipairs(keys) do
    local limit, count = tonumber(args[i + 1]), redis.call('HLEN', who)
    local list, found = {count}, {}
    if limit >= count then
      found = redis.call('HVALS', who)
    elseif limit > 0 then
      local pairs = redis.call('HRANDFIELD', who, limit, 'WITHVALUES')
      for j = 2, #pairs, 2 do found[#found + 1] = pairs[j] end
    end
    for _, value in ipairs(found) do list[#list + 1] = string.sub(value, length + 1) end
    lists[i] = list
  end
  return lists
end

-- Tells a canary to whoever listens. Being a function that might write, it is refused by a server
-- that is no master any more, which would tell its own canary and nothing else.
local function sing(keys, args)
  return redis.call('SPUBLISH', keys[1], args[1])
end

-- Lets the members of a dead node go, in some channels of a partition. keys: at:NODE. args: the
-- node, what the names of w and of l begin with, the most channels. Gives how many channels are
-- left.
local function reap(keys, args)
  local at, node, whos, lives = keys[1], args[1], args[2], args[3]
  local names = redis.call('HRANDFIELD', at, tonumber(args[4]))
  for _, name in ipairs(names) do
    local all = redis.call('HGETALL', whos .. name)
    for j = 1, #all, 2 do
      if string.sub(all[j + 1], 1, #node) == node then
        redis.call('HDEL', whos .. name, all[j])
        redis.call('SPUBLISH', lives .. name, 'L' .. string.sub(all[j + 1], #node + 1))
      end
    end
    redis.call('HDEL', at, name)
  end
  return redis.call('HLEN', at)
end

-- keys: leases (by end), abouts, dying. args: the node, its lease in milliseconds, what it says of
-- itself, and whether it is new. Gives 1 if it had been taken for dead, and 2 as long as its
-- members are still going because of that, until when it does not count as alive; how many live, and for
-- each its name and what it says; and then the names of those whose members have to go.
local function beat(keys, args)
  local leases, abouts, dying = unpack(keys)
  local node, now = args[1], clock()
  -- If nobody's lease was good any more, it is this server that was away, and nobody is dead yet.
  local last = redis.call('ZREVRANGE', leases, 0, 0, 'WITHSCORES')[2]
  if last and tonumber(last) <= now then
    for _, other in ipairs(redis.call('ZRANGE', leases, 0, -1)) do
      redis.call('ZADD', leases, whole(now + tonumber(args[2])), other)
    end
  end
  local forgotten = 0
  if redis.call('SISMEMBER', dying, node) == 1 then
    forgotten = 2
  else
    if not redis.call('ZSCORE', leases, node) and args[4] ~= '1' then forgotten = 1 end
    redis.call('ZADD', leases, whole(now + tonumber(args[2])), node)
    redis.call('HSET', abouts, node, args[3])
  end
  for _, dead in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', whole(now))) do
    redis.call('ZREM', leases, dead)
    redis.call('HDEL', abouts, dead)
    redis.call('SADD', dying, dead)
  end
  local alive = redis.call('HGETALL', abouts)
  local answer = {forgotten, #alive / 2}
  for _, text in ipairs(alive) do answer[#answer + 1] = text end
  for _, text in ipairs(redis.call('SMEMBERS', dying)) do answer[#answer + 1] = text end
  return answer
end

-- keys: leases, abouts. args: the node, for how long its members stay.
local function leave(keys, args)
  redis.call('HDEL', keys[2], args[1])
  redis.call('ZADD', keys[1], whole(clock() + tonumber(args[2])), args[1])
  return 0
end

redis.register_function('martlet_append_1', append)
redis.register_function('martlet_read_1', read)
redis.register_function('martlet_move_1', move)
redis.register_function('martlet_members_1', members)
redis.register_function('martlet_sing_1', sing)
redis.register_function('martlet_reap_1', reap)
redis.register_function('martlet_beat_1', beat)
redis.register_function('martlet_leave_1', leave)
