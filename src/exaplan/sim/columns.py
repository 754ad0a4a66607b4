"""Names of the columns of the event loop's arrays: compiled code has no objects, so a request is a row of numbers.

All times are seconds, all lengths tokens, all memory blocks of the KV cache. NONE marks an empty link.
"""

from __future__ import annotations

NONE = -1

# A request. PROMPT, OUTPUT: its tokens. NEED: tokens that its prompt phase computes (the prompt, and what was made
# before it was preempted), DONE of them so far, CHUNK in the running iteration. HIT: tokens that it shares with the
# cache, BROUGHT: that come from host memory, MATCH: that an earlier request of its session had in common. MADE:
# output tokens before it joined the decoding batch at step START, EXTRA: tokens beyond one a step (speculation).
# PRIVATE: blocks of its own; SHARED: cache entry of the common prefix, OWN: of its session. KEY, TURN, HISTORY, CUT:
# the session, requests before this one, tokens of them that it repeats, whether their beginning was cut off. NUMBER:
# place in the order of arrival. AHEAD, BEHIND: links of a queue; OLDER, NEWER: links in order of admission. SENDER:
# the replica that computed the prompt and holds SENT blocks of it until they are sent; SENT: blocks in host memory
# when swapped.
(
    PROMPT,
    OUTPUT,
    NEED,
    DONE,
    CHUNK,
    HIT,
    BROUGHT,
    MATCH,
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
) = range(28)
SLOT_COLUMNS = 28

# Its times: ARRIVED; QUEUED at the model; ADMITTED to a first iteration; FIRST token; ENTERED a station; THINK: how
# long its user thinks after it [s].
ARRIVED, QUEUED, ADMITTED, FIRST, ENTERED, THINK = range(6)
TIME_COLUMNS = 6

# Values of STATE.
IDLING, THINKING, AT_STATION, WAITING, PREFILLING, LOADING, DECODING, SWAPPED, SENDING, ENDED = range(10)

# A replica. WAIT_*: queue, FILL_*: prompts being read, RUN_*: admitted requests in their order, LAND_*: those whose
# cache has come and who join after the running iteration. RUNS: admitted ones, LOADS: of them those whose cache is on
# its way. STEP: decode steps so far, CONTEXT: sum of the contexts of its decoding requests, STEPPING: the running
# iteration decodes, SEATS: sequences of a static batch, OUTPUTS: prompts that end in this iteration, FINISHES: size
# of the heap of last steps. BLOCKS: of its cache, VACANT: free ones, CACHED: held by the cache and used by nobody;
# OLDEST, NEWEST: ends of their LRU list; HOST_*: the same in host memory; PREFIX: entry of the common prefix.
# PHASE_AT: where its counts begin of decoding requests by the step [mod block] at which they need one more block;
# FINISH_AT: where its heap begins of (last step, request).
(
    WAIT_HEAD,
    WAIT_TAIL,
    FILL_HEAD,
    FILL_TAIL,
    RUN_HEAD,
    RUN_TAIL,
    LAND_HEAD,
    LAND_TAIL,
    OLDEST,
    NEWEST,
    HOST_OLDEST,
    HOST_NEWEST,
    WAITS,
    RUNS,
    LOADS,
    DECODES,
    STEP,
    CONTEXT,
    STEPPING,
    SEATS,
    OUTPUTS,
    FINISHES,
    BLOCKS,
    VACANT,
    CACHED,
    HOST_BLOCKS,
    HOST_VACANT,
    PREFIX,
    POOL,
    STATUS,
    BUSY,
    PHASE_AT,
    FINISH_AT,
) = range(33)
REPLICA_COLUMNS = 33

# Values of POOL: replicas that serve (with a prefill pool: only decode), and those that only read prompts.
MAIN, FIRST_POOL = range(2)
# Values of STATUS.
OFF, STARTING, ON, DRAINING = range(4)

# Its times. END: of the running iteration, LINK: when its link is free again, SPENT: working, UP: on,
# SINCE: when it was switched on.
END, LINK, SPENT, UP, SINCE = range(5)
SPAN_COLUMNS = 5

# An entry of the prefix cache: whose it is, blocks on the chip, blocks in host memory behind them,
# requests that use it, links of the LRU lists (chip, host) and of the hash chain.
E_KEY, E_REPLICA, E_BLOCKS, E_HOST, E_USERS, E_OLDER, E_NEWER, E_HOST_OLDER, E_HOST_NEWER, E_CHAIN = range(10)
ENTRY_COLUMNS = 10

# A station: servers, of which busy, queue, law of its service times, where the sketch of the times in it begins; times:
# mean and coefficient of variation of a service, visits, sums of the waits and of the times in it.
S_SERVERS, S_BUSY, S_HEAD, S_TAIL, S_LAW, S_SKETCH_AT = range(6)
S_MEAN, S_CV, V_COUNT, V_SUM_QUEUE, V_SUM_LATENCY = range(5)
STATION_COLUMNS = 6
FIXED, EXPONENTIAL, LOGNORMAL = range(3)

# Counters of the run. HEAP: events in the heap, ORDER: events made so far (ties go by it). VACANT_SLOT, VACANT_ENTRY:
# first free row, SLOTS_LEFT, ENTRIES_LEFT: free ones. ROW, WHEN: next row of the rows and of the arrival times, ROWS,
# WHENS: how many are there, LAST_ROWS, LAST_WHENS: no more will come. ISSUED, LIMIT: requests so far and at most.
# INSIDE: in the system, RUNNING: admitted. USED: blocks in use by requests, PEAK of it, CAPACITY of it. WORKING:
# replicas with an iteration, ACTIVE: switched on. STEPS: tokens of decode iterations. CLOSED: users come back; TURNS,
# PREFIX_TOKENS, HISTORY_KIND, KEEP: of sessions; TRACED: sessions are named by the rows. WARM: requests left out.
# BATCH, BATCH_SIZE, BIN: places of the records. ROUND_*: next replica of a round. MODEL: there is a model behind the
# stations. SCALED, LEAST_ON: autoscaling; TIMER: its latest idle timer; STARTS, STOPS of replicas.
(
    HEAP,
    ORDER,
    VACANT_SLOT,
    SLOTS_LEFT,
    VACANT_ENTRY,
    ENTRIES_LEFT,
    ROW,
    ROWS,
    LAST_ROWS,
    WHEN,
    WHENS,
    LAST_WHENS,
    ISSUED,
    LIMIT,
    FINISHED,
    INSIDE,
    RUNNING,
    USED,
    PEAK,
    CAPACITY,
    WORKING,
    ACTIVE,
    ITERATIONS,
    STEPS,
    PREEMPTIONS,
    SWAPS,
    TOKENS_IN,
    TOKENS_HIT,
    TOKENS_HOST,
    TOKENS_COMPUTED,
    TOKENS_OUT,
    TOKENS_SENT,
    REFUSED_CONTEXT,
    REFUSED_CACHE,
    SEED_1,
    SEED_2,
    BATCH,
    BATCH_SIZE,
    BIN,
    LOG,
    ROUND_MAIN,
    ROUND_FIRST,
    ROUTER,
    KEYS,
    CLOSED,
    TURNS,
    PREFIX_TOKENS,
    HISTORY_KIND,
    KEEP,
    TRACED,
    WARM,
    MODEL,
    SPLIT,
    SCALED,
    LEAST_ON,
    TIMER,
    STARTS,
    STOPS,
    DUES,
    DUE_AT,
    REPLICAS,
    REPLICAS_AT,
    MOST_SEQS,
    STATIONS,
    STATIONS_AT,
    EVENTS,
    EVENTS_AT,
    ROWS_AT,
    WHENS_AT,
    CHAINS,
    CHAINS_AT,
    BATCHES,
    TALLIES_AT,
    BUCKETS,
    SKETCHES_AT,
    BINS,
    SERIES_AT,
    LINES,
    LOG_AT,
    ROWS_LENGTH,
    WHENS_LENGTH,
) = range(81)
COUNT_COLUMNS = 81

# Values of ROUTER and of HISTORY_KIND.
ROUND_ROBIN, LEAST_LOADED, BY_PREFIX = range(3)
FULL, WINDOW, NO_HISTORY = range(3)

# Clocks and integrals of the run: NOW; integrals over time of requests INSIDE, waiting, running,
# blocks in use, replicas working and on [x s]; STAYS: sum of the times in the system; CLOSE: when the last request came
# from outside, or from a user of a closed loop;
# FIRST_START, LAST_END: of the recorded requests; BIN_END, BIN_WIDTH: of the time series; LOW_SINCE: the load has been
# below the stop threshold; TARGET, DELAY, IDLE_TIME: autoscaling; TRANSFER_RATE [tokens/s], TRANSFER_LATENCY [s]: of KV
# caches; NEAR [requests], RATIO [1]: how far the prefix router lets loads drift apart.
(
    NOW,
    AREA_INSIDE,
    AREA_WAITING,
    AREA_RUNNING,
    AREA_USED,
    AREA_WORKING,
    AREA_ACTIVE,
    STAYS,
    CLOSE,
    FIRST_START,
    LAST_END,
    BIN_END,
    BIN_WIDTH,
    LOW_SINCE,
    TARGET,
    DELAY,
    IDLE_TIME,
    TRANSFER_RATE,
    TRANSFER_LATENCY,
    NEAR,
    RATIO,
    LATE,
    PROMISED,
) = range(23)
CLOCK_COLUMNS = 26

# Kinds of events.
ITERATION, RETURN, LOADED, SERVED, READY, IDLE = range(6)

# A request to come: its lengths and the session that a trace names (NONE = none); times: that its user thinks after it.
ROW_PROMPT, ROW_OUTPUT, ROW_KEY = range(3)
ROW_THINK = 0
ROW_COLUMNS = 3

# An event: its order, its kind, whom it concerns; times: when.
V_ORDER, V_KIND, V_WHO = range(3)
V_TIME = 0
EVENT_COLUMNS = 3

# A line of the log: time, kind, request, value.
LOG_COLUMNS = 4

# A row of the tallies, sums over the requests of a batch: COUNT of requests, of those with more than one output
# token (SPACED), values [s], tokens, those that keep the promise (GOOD), and when the last of them ended.
COUNT, SPACED, SUM_TTFT, SUM_TPOT, SUM_LATENCY, SUM_QUEUE, SUM_IN, SUM_OUT, GOOD, UNTIL = range(10)
TALLY_COLUMNS = 10

# Sketches of each batch.
TTFT, TPOT, LATENCY, QUEUE = range(4)
SKETCHES = 4

# A row of the series: the clock, the integrals over time, and the counters at the end of a bin.
(
    B_TIME,
    B_INSIDE,
    B_WAITING,
    B_RUNNING,
    B_USED,
    B_WORKING,
    B_ACTIVE,
    B_OUT,
    B_IN,
    B_FINISHED,
    B_ISSUED,
    B_ITERATIONS,
    B_STEPS,
) = range(13)
BIN_COLUMNS = 13
