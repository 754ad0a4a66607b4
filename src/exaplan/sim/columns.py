"""Names of the columns of the event loop's arrays: compiled code has no objects, so a request is a row of numbers.

All times are seconds, all lengths tokens, all memory blocks of the KV cache. NONE marks an empty link.
"""

from __future__ import annotations

NONE = -1

# A request (``State.slots``). NEED: tokens that its prompt phase computes (prompt, and what was made before it was
# preempted); DONE of them so far, CHUNK in the running iteration; HIT: found in the cache; MADE: output tokens before
# it joined the decoding batch at step START; EXTRA: tokens beyond one a step (speculation). PRIVATE: blocks of its own;
# SHARED: cache entry of the common prefix, OWN: that of its session. AHEAD/BEHIND: links of a queue, NEWER/OLDER: links
# in order of admission. SENDER: the replica that computed the prompt and still holds SENT blocks of it.
(
    PROMPT,
    OUTPUT,
    NEED,
    DONE,
    CHUNK,
    HIT,
    MADE,
    START,
    EXTRA,
    PRIVATE,
    SHARED,
    OWN,
    KEY,
    TURN,
    HISTORY,
    CUT,
    NUMBER,
    REPLICA,
    STATE,
    AHEAD,
    BEHIND,
    NEWER,
    OLDER,
    SENDER,
    SENT,
    STATION,
) = range(26)
SLOT_COLUMNS = 26

# Its times (``State.times``): ARRIVED; QUEUED at the model; ADMITTED to a first iteration; FIRST token; ENTERED a station.
ARRIVED, QUEUED, ADMITTED, FIRST, ENTERED = range(5)
TIME_COLUMNS = 5

# Values of STATE.
FREE_SLOT, THINKING, AT_STATION, WAITING, PREFILLING, LOADING, DECODING, SWAPPED, RESTING = range(9)

# A replica (``State.replicas``). WAIT_*: queue, FILL_*: prompts being read, RUN_*: all that were admitted. STEP: decode
# steps so far; CONTEXT: sum of the contexts of its decoding requests; STEPPING: the running iteration decodes; SEATS:
# sequences of a static batch; FINISHES: size of the heap of last steps; VACANT: free blocks, CACHED: blocks of the
# cache that nobody uses, OLDEST/NEWEST: ends of their LRU list; HOST_VACANT, HOST_OLDEST, HOST_NEWEST: the same in host
# memory; PREFIX: entry of the common prefix; LOADS: requests whose KV cache is on its way;
# LAND_*: those whose cache has come, to join when the running iteration ends.
(
    WAIT_HEAD,
    WAIT_TAIL,
    WAITS,
    FILL_HEAD,
    FILL_TAIL,
    RUN_HEAD,
    RUN_TAIL,
    RUNS,
    DECODES,
    STEP,
    CONTEXT,
    STEPPING,
    SEATS,
    FINISHES,
    VACANT,
    CACHED,
    OLDEST,
    NEWEST,
    HOST_VACANT,
    HOST_OLDEST,
    HOST_NEWEST,
    PREFIX,
    LOADS,
    POOL,
    STATUS,
    BUSY,
    OUTPUTS,
    BLOCKS,
    LAND_HEAD,
    LAND_TAIL,
) = range(30)
REPLICA_COLUMNS = 30

# Values of STATUS.
OFF, STARTING, ON, DRAINING = range(4)

# Its times (``State.spans``): BEGAN, END: of the running iteration; LINK: when its link is free again; SPENT working;
# UP: s switched on; SINCE: switched on at; LATE: s of swapping that the next iteration bears.
BEGAN, LINK, SPENT, UP, SINCE, LATE, END = range(7)
SPAN_COLUMNS = 7

# Counters of the whole run (``State.counts``). HEAP: events in the heap, ORDER: events made so far (ties go by it);
# VACANT_SLOT: first free row of ``slots``; ROW: next row of ``rows``, ROWS: rows there, LAST_ROWS: no more will come;
# ISSUED: requests so far; INSIDE: requests in the system; RUNNING: admitted ones; USED: blocks in use by requests.
(
    HEAP,
    ORDER,
    VACANT_SLOT,
    SLOTS_LEFT,
    ROW,
    ROWS,
    LAST_ROWS,
    ISSUED,
    FINISHED,
    INSIDE,
    RUNNING,
    USED,
    ITERATIONS,
    STEPS,
    PREEMPTIONS,
    SWAPS,
    TOKENS_IN,
    TOKENS_HIT,
    TOKENS_HOST,
    TOKENS_OUT,
    TOKENS_AGAIN,
    REFUSED_CONTEXT,
    REFUSED_CACHE,
    SEED_1,
    SEED_2,
    VACANT_ENTRY,
    ENTRIES_LEFT,
    BATCH,
    BATCH_SIZE,
    BIN,
    LOG,
    ROUND,
    KEYS,
    CLOSED,
    TURNS,
    PREFIX_TOKENS,
    KEEPING,
    KEEP,
    WARM,
    SHUT,
    LOW,
    TIMER,
    STARTS,
    STOPS,
    WHEN,
    WHENS,
    LAST_WHENS,
    LIMIT,
    HISTORY_KIND,
) = range(49)
COUNT_COLUMNS = 49

# Clocks and sums of the whole run (``State.clocks``). NOW; TICKED: sums are complete up to it; AREA_INSIDE: integral of
# requests in the system; STAYS: sum of the times in it; BIN_WIDTH: of the time series; LOW_SINCE: load below the stop
# threshold since; CLOSE: when the last request came, after which shares and rates are not counted.
(
    NOW,
    TICKED,
    AREA_INSIDE,
    STAYS,
    BIN_WIDTH,
    LOW_SINCE,
    CLOSE,
    FIRST_START,
    LAST_END,
    WARM_END,
) = range(10)
CLOCK_COLUMNS = 10

# Kinds of events.
ITERATION, RETURN, LOADED, SERVED, READY, IDLE = range(6)

# Columns of ``State.rows``: lengths of a request and the session that a trace names (NONE = none).
ROW_PROMPT, ROW_OUTPUT, ROW_KEY = range(3)

# Columns of ``State.tallies``, sums over the requests of a batch: COUNT of requests, of those with more than one output
# token (SPACED), values [s], tokens, those that keep the promise (GOOD), and when the last of them ended.
COUNT, SPACED, SUM_TTFT, SUM_TPOT, SUM_LATENCY, SUM_QUEUE, SUM_IN, SUM_OUT, GOOD, UNTIL = range(10)
TALLY_COLUMNS = 10

# Sketches of each batch (``State.sketches``).
TTFT, TPOT, LATENCY, QUEUE = range(4)
SKETCHES = 4
