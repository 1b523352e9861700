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

-- Every global is looked up in a table behind a table, which is most of what a short function
-- costs. They are not there yet while this is loaded, so the first call finds them for all.
local call, format, match, sub, max, min, floor, number_of, items
local function begin()
  if call then return end
  call, format, match, sub = redis.call, string.format, string.match, string.sub
  max, min, floor, number_of, items = math.max, math.min, math.floor, tonumber, unpack
end

-- Which process this is. A restart and a failover are both another one, and both may have lost
-- the newest publications.
local process = nil
local function this_process()
  if not process then
    process = match(call('INFO', 'server'), 'run_id:(%x+)')
  end
  return process
end

local function clock()
  local time = call('TIME')
  return number_of(time[1]) * 1000 + floor(number_of(time[2]) / 1000)
end

local function whole(number) return format('%d', number) end

-- An epoch: 40 bits that look random.
local function epoch_of(text) return whole(number_of(sub(redis.sha1hex(text), 1, 10), 16)) end

-- The history of a channel, of which `h` are the fields e, o, t, r, x, and pe and po if they are
-- wanted. `fresh` is random, and new in every call. Epochs stay texts: to write a number is dear.
local function history(h, meta, seed, name, fresh)
  local process = this_process()
  if not h[1] then
    -- Nobody has published in it: its epoch follows from its name, so that looking leaves nothing.
    local random = call('GET', seed)
    if not random then
      random = fresh
      call('SET', seed, random)
    end
    return {e = epoch_of(random .. process .. name), o = 0, t = 0, x = 0, new = true}
  end
  local found = {e = h[1], o = number_of(h[2]), t = number_of(h[3]), x = number_of(h[5]),
    pe = h[6], po = h[7]}
  if h[4] ~= process then
    found.pe, found.po = h[1], h[2]
    found.e = epoch_of(fresh .. name)
    call('HSET', meta, 'e', found.e, 'r', process, 'pe', found.pe, 'po', found.po)
  end
  return found
end

local function split(id)
  local offset, time = match(id, '^(%d+)-(%d+)$')
  return number_of(offset), number_of(time)
end

-- The first offset from `low` to `high` whose time is `time` or later; `high` + 1 if there is none.
local function first_since(stream, low, high, time)
  while low <= high do
    local middle = floor((low + high) / 2)
    local found = call('XRANGE', stream, whole(middle), '+', 'COUNT', 1)
    local offset, at = high + 1, time
    if found[1] then offset, at = split(found[1][1]) end
    if at >= time then high = middle - 1 else low = offset + 1 end
  end
  return low
end

-- The oldest offset that is kept; one past the newest if there is none.
local function oldest(stream, newest, size, horizon)
  if size == 0 then return newest + 1 end
  local front = call('XRANGE', stream, '-', '+', 'COUNT', 1)
  if not front[1] then return newest + 1 end
  local first, time = split(front[1][1])
  first = max(first, newest - size + 1)
  if time < horizon then first = first_since(stream, first, newest, horizon) end
  return first
end

-- Once in how many publications a stream is trimmed. To trim is as dear as to add, so a stream may
-- have an eighth more than is kept, and at most 64; `oldest` does not count those.
local function trimmed_every(size) return min(64, floor(size / 8) + 1) end

-- Publishes in the history `h` at a time, which is also given as text. Gives "epoch offset time".
local function publish(h, meta, stream, live, size, age, record, time, moment)
  local number = h.o + 1
  local offset, renew = whole(number), min(age / 8, HOUR)
  local place = h.e .. ' ' .. offset .. ' ' .. moment
  if h.new then
    call('HSET', meta, 'e', h.e, 'o', offset, 't', moment, 'r', this_process(), 'x', moment)
  else
    call('HSET', meta, 'o', offset, 't', moment)
  end
  if size > 0 then
    call('XADD', stream, offset .. '-' .. moment, 'd', record)
    if number % trimmed_every(size) == 0 then
      call('XTRIM', stream, 'MINID', whole(oldest(stream, number, size, time - age)))
    end
  end
  if h.new or time - h.x >= renew or time < h.x then
    call('HSET', meta, 'x', moment)
    call('PEXPIRE', meta, whole(max(REMEMBERED, age * 2)))
    if size > 0 then call('PEXPIRE', stream, whole(age + renew + 1000)) end
  end
  call('SPUBLISH', live, 'P' .. place .. ' ' .. record)
  return place
end

-- keys: for each draft m, s, l, seed, k (or m again where there is no key).
-- args: a random text; for each draft the channel, how many are kept and how long in
-- milliseconds, what makes its id unique if it has a key, and the record.
-- Gives for each "epoch offset time", and what makes the id unique if it is a repeat.
local function append(keys, args)
  local receipts, fresh, now = {}, args[1], clock()
  local moment = whole(now)
  for i = 1, #keys / 5 do
    local meta, stream, live, seed, key = items(keys, i * 5 - 4, i * 5)
    local name, size, age, unique, record = items(args, i * 5 - 3, i * 5 + 1)
    local place = unique ~= '' and call('GET', key)
    if not place then
      local found = call('HMGET', meta, 'e', 'o', 't', 'r', 'x')
      local h, time, text = history(found, meta, seed, name, fresh), now, moment
      -- Times of a history never fall, whatever clocks do.
      if h.t > now then time, text = h.t, whole(h.t) end
      size, age = number_of(size), number_of(age)
      place = publish(h, meta, stream, live, size, age, record, time, text)
      if unique ~= '' then call('SET', key, place .. ' ' .. unique, 'PX', KEYS_KEPT) end
    end
    receipts[i] = place
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
    local meta, stream, seed = items(keys, i * 3 - 2, i * 3)
    local name, kind, value, limit, size, age = items(args, i * 6 - 4, i * 6 + 1)
    value, limit, size, age = number_of(value), number_of(limit), number_of(size), number_of(age)
    local h = call('HMGET', meta, 'e', 'o', 't', 'r', 'x', 'pe', 'po')
    h = history(h, meta, seed, name, fresh)
    local time = max(now, h.t)
    local first = oldest(stream, h.o, size, time - age)
    local before, found = value, {}
    if kind == 's' then before = first_since(stream, first, h.o, value) - 1 end
    if limit > 0 and first <= h.o then
      if kind == 'u' then
        if value >= first then
          local until_offset = whole(min(value, h.o))
          found = call('XREVRANGE', stream, until_offset, whole(first), 'COUNT', limit)
        end
      else
        local from = max(before + 1, first)
        found = call('XRANGE', stream, whole(from), '+', 'COUNT', limit)
      end
    end
    local page = {h.e .. ' ' .. whole(h.o) .. ' ' .. whole(first) .. ' ' .. whole(before)
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
  if call('HINCRBY', at, name, -1) <= 0 then call('HDEL', at, name) end
end

-- keys: for each member w, l, at:NODE. args: the node; what the names of at: begin with, for each
-- the channel, J or L, the client and its record.
local function move(keys, args)
  local node, done = args[1], 0
  for i = 1, #keys / 3 do
    local who, live, at = items(keys, i * 3 - 2, i * 3)
    local name, kind, client, record = items(args, i * 4 - 2, i * 4 + 1)
    local before = call('HGET', who, client)
    local holder = before and sub(before, 1, #node)
    if kind == 'J' then
      call('HSET', who, client, node .. record)
      if holder ~= node then call('HINCRBY', at, name, 1) end
      if not before then
        call('SPUBLISH', live, 'J' .. record)
      elseif holder ~= node then
        fewer(sub(at, 1, -1 - #node) .. holder, name)
      end
    elseif holder == node then
      call('HDEL', who, client)
      fewer(at, name)
      call('SPUBLISH', live, 'L' .. sub(before, #node + 1))
    end
    done = done + 1
  end
  return done
end

-- keys: for each channel w. args: the length of a node's name; for each the most members.
-- Gives for each a list: how many there are, and records.
local function members(keys, args)
  local lists, length = {}, number_of(args[1])
  for i, who in ipairs(keys) do
    local limit, count = number_of(args[i + 1]), call('HLEN', who)
    local list, found = {count}, {}
    if limit >= count then
      found = call('HVALS', who)
    elseif limit > 0 then
      local pairs = call('HRANDFIELD', who, limit, 'WITHVALUES')
      for j = 2, #pairs, 2 do found[#found + 1] = pairs[j] end
    end
    for _, value in ipairs(found) do list[#list + 1] = sub(value, length + 1) end
    lists[i] = list
  end
  return lists
end

-- Tells a canary to whoever listens. Being a function that might write, it is refused by a server
-- that is no master any more, which would tell its own canary and nothing else.
local function sing(keys, args)
  return call('SPUBLISH', keys[1], args[1])
end

-- Lets the members of a dead node go, in some channels of a partition. keys: at:NODE. args: the
-- node, what the names of w and of l begin with, the most channels. Gives how many channels are
-- left.
local function reap(keys, args)
  local at, node, whos, lives = keys[1], args[1], args[2], args[3]
  local names = call('HRANDFIELD', at, number_of(args[4]))
  for _, name in ipairs(names) do
    local all = call('HGETALL', whos .. name)
    for j = 1, #all, 2 do
      if sub(all[j + 1], 1, #node) == node then
        call('HDEL', whos .. name, all[j])
        call('SPUBLISH', lives .. name, 'L' .. sub(all[j + 1], #node + 1))
      end
    end
    call('HDEL', at, name)
  end
  return call('HLEN', at)
end

-- keys: leases (by end), abouts, dying. args: the node, its lease in milliseconds, what it says of
-- itself, and whether it is new. Gives 1 if it had been taken for dead, and 2 as long as its
-- members are still going because of that, until when it does not count as alive; how many live, and for
-- each its name and what it says; and then the names of those whose members have to go.
local function beat(keys, args)
  local leases, abouts, dying = items(keys)
  local node, now = args[1], clock()
  -- If nobody's lease was good any more, it is this server that was away, and nobody is dead yet.
  local last = call('ZREVRANGE', leases, 0, 0, 'WITHSCORES')[2]
  if last and number_of(last) <= now then
    for _, other in ipairs(call('ZRANGE', leases, 0, -1)) do
      call('ZADD', leases, whole(now + number_of(args[2])), other)
    end
  end
  local forgotten = 0
  if call('SISMEMBER', dying, node) == 1 then
    forgotten = 2
  else
    if not call('ZSCORE', leases, node) and args[4] ~= '1' then forgotten = 1 end
    call('ZADD', leases, whole(now + number_of(args[2])), node)
    call('HSET', abouts, node, args[3])
  end
  for _, dead in ipairs(call('ZRANGEBYSCORE', leases, '-inf', whole(now))) do
    call('ZREM', leases, dead)
    call('HDEL', abouts, dead)
    call('SADD', dying, dead)
  end
  local alive = call('HGETALL', abouts)
  local answer = {forgotten, #alive / 2}
  for _, text in ipairs(alive) do answer[#answer + 1] = text end
  for _, text in ipairs(call('SMEMBERS', dying)) do answer[#answer + 1] = text end
  return answer
end

-- keys: leases, abouts. args: the node, for how long its members stay.
local function leave(keys, args)
  call('HDEL', keys[2], args[1])
  call('ZADD', keys[1], whole(clock() + number_of(args[2])), args[1])
  return 0
end

local function ready(what)
  return function(keys, args)
    begin()
    return what(keys, args)
  end
end

redis.register_function('martlet_append_1', ready(append))
redis.register_function('martlet_read_1', ready(read))
redis.register_function('martlet_move_1', ready(move))
redis.register_function('martlet_members_1', ready(members))
redis.register_function('martlet_sing_1', ready(sing))
redis.register_function('martlet_reap_1', ready(reap))
redis.register_function('martlet_beat_1', ready(beat))
redis.register_function('martlet_leave_1', ready(leave))
