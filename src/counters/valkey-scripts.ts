/**
 * What Valkey is asked, in Lua: each a single step for all nodes, on a single key, by Valkey's own
 * clock, so that neither the nodes' clocks nor the way between them matter. What is kept of a caller is
 * a list of the instants of its calls in microseconds, the oldest first: 200 calls take some 2 KB.
 */
import { createHash } from 'node:crypto';
import { WINDOW_MS } from '../domain/quota.ts';

/** How long each node is counted after its last word, in milliseconds. */
const NODE_TTL_MS = 15_000;
/** How long it is known after that: longer than the window, in which it misses what is forgotten. */
const NODE_KNOWN_MS = 2 * WINDOW_MS;

/**
 * Longer than the window: Valkey counts the life of keys in whole milliseconds, and a list that went
 * one too early would let one too many through.
 */
const LIST_TTL_MS = WINDOW_MS + 1000;

export interface Script {
  readonly text: string;
  /** The name that Valkey has for it. */
  readonly sha: string;
}

function script(...parts: readonly string[]): Script {
  const text = parts.join('\n');
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

/** Microseconds since 1970. */
const SERVER_TIME = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]`;

/** The same as the last argument says; for tests, which cannot wait for windows to pass. */
const GIVEN_TIME = `
local now = tonumber(ARGV[#ARGV])`;

const LIST = `
local WINDOW = ${WINDOW_MS * 1000}
local key, limit = KEYS[1], tonumber(ARGV[1])
local count = redis.call('LLEN', key)
local function at(index) return tonumber(redis.call('LINDEX', key, index)) end
-- How many calls were made at this instant or before.
local function made_until(instant)
  local low, high = 0, count
  while low < high do
    local middle = math.floor((low + high) / 2)
    if at(middle) <= instant then low = middle + 1 else high = middle end
  end
  return low
end
-- How many have left the window: mostly none, which one look at the oldest tells.
local function gone()
  if count == 0 or at(0) > now - WINDOW then return 0 end
  return made_until(now - WINDOW)
end
-- Microseconds until one more would pass; a limit that was lowered is passed by several.
local function reset(first)
  local left = count - first
  if left == 0 then return 0 end
  return math.min(at(first + math.max(0, left - limit)), now) + WINDOW - now
end`;

/**
 * A clock that was set back leaves calls in the future. They were made before now: as of now they count,
 * so that the caller waits for a window at most, and no window holds too many.
 */
const RESTAMP = `
if count > 0 and at(-1) > now then
  local past = made_until(now)
  if past == 0 then redis.call('DEL', key) else redis.call('LTRIM', key, 0, past - 1) end
  for _ = past + 1, count do redis.call('RPUSH', key, string.format('%.0f', now)) end
  redis.call('PEXPIRE', key, ${LIST_TTL_MS})
end`;

const TAKE = `
local left = gone()
if left > 0 then
  if left == count then redis.call('DEL', key) else redis.call('LTRIM', key, left, -1) end
  count = count - left
end
local allowed = 0
if count < limit then
  allowed = 1
  count = count + 1
  redis.call('RPUSH', key, string.format('%.0f', now))
  redis.call('PEXPIRE', key, ${LIST_TTL_MS})
end
return {allowed, count, reset(0)}`;

const LOOK = `
local left = gone()
return {0, count - left, reset(left)}`;

/** In order with what was counted meanwhile: that is taken off the end, and put back among the others. */
const TELL = `
local all = {}
for age in string.gmatch(ARGV[2], '%d+') do all[#all + 1] = now - age end
local later = count - made_until(all[1])
if later > 0 then
  for _, instant in ipairs(redis.call('LRANGE', key, -later, -1)) do
    all[#all + 1] = tonumber(instant)
  end
  if later == count then redis.call('DEL', key) else redis.call('LTRIM', key, 0, -later - 1) end
end
table.sort(all)
for index, instant in ipairs(all) do all[index] = string.format('%.0f', instant) end
for first = 1, #all, 1000 do
  redis.call('RPUSH', key, unpack(all, first, math.min(first + 999, #all)))
end
redis.call('PEXPIRE', key, ${LIST_TTL_MS})
return {count}`;

/** ARGV: the limit. Returns whether the call passes (1 or 0), the calls counted, and the reset. */
export const TAKE_SCRIPT = script(SERVER_TIME, LIST, RESTAMP, TAKE);
/** The same without a call; writes nothing. */
export const LOOK_SCRIPT = script(SERVER_TIME, LIST, LOOK);

/** ARGV: any number, and how many microseconds ago calls were made, the oldest first. */
export const TELL_SCRIPT = script(SERVER_TIME, LIST, RESTAMP, TELL);

/** The first two with the time as their last argument, in microseconds; for tests. */
export const TIMED_SCRIPTS = {
  take: script(GIVEN_TIME, LIST, RESTAMP, TAKE),
  look: script(GIVEN_TIME, LIST, LOOK),
};

/**
 * ARGV: a node. It says that it lives; returns how many nodes do, and whether it was still known (1 or
 * 0): if not, Valkey has forgotten what it knew, or the node is new, or was silent for minutes.
 */
export const BEAT_SCRIPT = script(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = now + ${NODE_TTL_MS}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - ${NODE_KNOWN_MS}))
-- Said before the clock was set back.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. string.format('%.0f', ends), '+inf')
local known = redis.call('ZSCORE', KEYS[1], ARGV[1]) and 1 or 0
redis.call('ZADD', KEYS[1], string.format('%.0f', ends), ARGV[1])
redis.call('PEXPIRE', KEYS[1], ${NODE_TTL_MS + NODE_KNOWN_MS})
return {redis.call('ZCOUNT', KEYS[1], '(' .. string.format('%.0f', now), '+inf'), known}`);

/** ARGV: a node that ends. */
export const LEAVE_SCRIPT = script(`return {redis.call('ZREM', KEYS[1], ARGV[1])}`);
