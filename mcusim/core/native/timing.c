#include "timing.h"

#include "allocate.h"
#include "outcomes.h"

/* Parameter numbers of mcusim/timing/rules.py that the model names itself. */
enum {
    P_LOAD_PIPELINED = 4,
    P_STORE = 5,
    P_STORE_THEN_LOAD = 7,
    P_LOAD_THEN_STORE = 8,
    P_ADDRESS_FROM_ALU = 9,
    P_WRITE_BACK_BASE = 10,
    P_REFILL_REGISTER = 15,
    P_REFILL_POP = 16,
    P_REFILL_LOAD = 17,
    P_UNALIGNED_LOADS = 19,
    P_LITERAL = 20,
    P_FP_DEPENDENT = 28,
    P_FP_MAC = 29,
    P_FP_DIVIDE = 30,
    P_DIVIDE_ZERO = 37,
    P_DIVIDE_SHORT = 38,
    P_DIVIDE_LONG = 39,
    P_DIVIDE_MOST = 40,
    P_SYSTEM_LATENCY = 41,
    P_SYSTEM_INTERVAL = 42,
    P_SYSTEM_DATA = 43,
    P_ADDRESS_FROM_VMOV = 44,
};

/* Lowest address that the system bus serves: code there is fetched by it, beside data. */
static const uint32_t SYSTEM_START = 0x20000000;

enum { FIRST_ISSUE = -1, FETCH_LATENCY = 2, RING = 16, BLOCKS = 4, NEVER = -9 };

/* An instruction on the timeline, with an IT folded into it. */
typedef struct {
    uint32_t end;
    int32_t cost;
    int32_t stall;
    int32_t fp_latency;
    int32_t fp_stall;
    int frees_word;
    int blocks_fetch;
    int falls_through;
    int uses_fpu;
    int32_t data_words;
} step;

typedef struct {
    const mcusim_timing *timing;
    const mcusim_instruction *line;
    const mcusim_instruction *previous; /* the step before, NULL at the start of the line */
    uint32_t count;
    uint32_t fp_pending; /* floating-point registers written by the arithmetic before */
    int taken;
    int base_charged; /* rule 6 applies once a pair */
} hazards;

static int is_single_store(int kind) {
    return kind == KIND_STORE || kind == KIND_STORE_INDEXED;
}

static int is_load(int kind) {
    return kind == KIND_LOAD || kind == KIND_LOAD_MANY || kind == KIND_LOAD_PAIR;
}

static int is_store(int kind) {
    return is_single_store(kind) || kind == KIND_STORE_MANY || kind == KIND_STORE_PAIR;
}

static int is_access(int kind) {
    return is_load(kind) || is_store(kind);
}

static int is_alu(int kind) {
    return kind == KIND_ALU || kind == KIND_MULTIPLY || kind == KIND_DIVIDE;
}

static int is_fp_arithmetic(int kind) {
    return kind == KIND_FP_ALU || kind == KIND_FP_MAC || kind == KIND_FP_DIVIDE;
}

static int feeds_address(const mcusim_instruction *first, const mcusim_instruction *second) {
    uint32_t results = first->base < 0 ? first->writes : first->writes & ~(1u << first->base);
    return (results & second->address_registers) != 0;
}

static int wide_unaligned(const mcusim_instruction *instruction) {
    return instruction->size == 4 && instruction->address & 2;
}

static int32_t division_cost(const int32_t *parameters, uint8_t outcome) {
    if (outcome == DIVISION_ZERO || outcome == DIVISION_SHORT) {
        return parameters[outcome == DIVISION_ZERO ? P_DIVIDE_ZERO : P_DIVIDE_SHORT];
    }
    int32_t cost = parameters[P_DIVIDE_LONG] + outcome - DIVISION_LONG;
    return cost < parameters[P_DIVIDE_MOST] ? cost : parameters[P_DIVIDE_MOST];
}

static int32_t cost_of(const mcusim_timing *timing, const mcusim_instruction *current,
                       const mcusim_instruction *following) {
    const int32_t *parameters = timing->parameters;
    int32_t cost = parameters[timing->kind_cycles[current->kind]] +
                   parameters[timing->kind_word_cycles[current->kind]] * current->count;
    int before_nop = following && following->kind == KIND_NOP;
    if (current->kind == KIND_LOAD) {
        int pipelines = following && is_access(following->kind) && !feeds_address(current, following);
        if (pipelines || before_nop) {
            cost = parameters[P_LOAD_PIPELINED];
        }
        if (current->flags & FLAG_LITERAL) {
            cost += parameters[P_LITERAL];
        }
    } else if (current->kind == KIND_STORE_INDEXED && before_nop) {
        cost = parameters[P_STORE];
    } else if (current->outcome) {
        cost = division_cost(parameters, current->outcome);
    }
    return cost;
}

static int shares_written_base(const mcusim_instruction *previous, const mcusim_instruction *current) {
    int writes_base = previous->kind == KIND_LOAD || previous->kind == KIND_LOAD_PAIR ||
                      previous->kind == KIND_STORE_PAIR || is_single_store(previous->kind);
    return writes_base && previous->base >= 0 && current->address_registers >> previous->base & 1;
}

static int32_t stall_of(hazards *state, const mcusim_instruction *current) {
    const int32_t *parameters = state->timing->parameters;
    const mcusim_instruction *previous = state->previous;
    int charged = state->base_charged;
    int32_t stall = 0;
    state->base_charged = 0;
    if (!previous) {
        return 0;
    }
    if (is_store(previous->kind) && is_load(current->kind)) {
        stall += parameters[P_STORE_THEN_LOAD];
    }
    if (previous->kind == KIND_LOAD && is_single_store(current->kind) && !feeds_address(previous, current)) {
        stall += parameters[P_LOAD_THEN_STORE];
    }
    if (is_alu(previous->kind) && feeds_address(previous, current)) {
        stall += parameters[P_ADDRESS_FROM_ALU];
    }
    if (previous->kind == KIND_FP_MOVE && feeds_address(previous, current)) {
        stall += parameters[P_ADDRESS_FROM_VMOV];
    }
    if (!charged && shares_written_base(previous, current)) {
        stall += parameters[P_WRITE_BACK_BASE];
        state->base_charged = 1;
    }
    if (previous->kind == KIND_LOAD && current->kind == KIND_LOAD &&
        (wide_unaligned(previous) || wide_unaligned(current))) {
        stall += parameters[P_UNALIGNED_LOADS];
    }
    return stall;
}

static void fill_fp(hazards *state, const mcusim_instruction *current, step *out) {
    const int32_t *parameters = state->timing->parameters;
    out->uses_fpu = 1;
    out->fp_stall = current->fp_reads & state->fp_pending ? parameters[P_FP_DEPENDENT] : 0;
    out->fp_latency = current->kind == KIND_FP_MAC      ? parameters[P_FP_MAC]
                      : current->kind == KIND_FP_DIVIDE ? parameters[P_FP_DIVIDE]
                                                        : out->cost;
    state->fp_pending = is_fp_arithmetic(current->kind) ? current->fp_writes : 0;
}

static int blocks_fetch(const mcusim_instruction *current, const mcusim_instruction *following,
                        int32_t cost) {
    if (cost < 2 || is_single_store(current->kind)) {
        return 0;
    }
    return !(current->kind == KIND_LOAD && following && is_access(following->kind));
}

static int it_folds(const hazards *state, uint32_t index) {
    return index > 0 && index < state->count && state->line[index].kind == KIND_IT &&
           state->line[index - 1].size == 2 && state->line[index - 1].kind != KIND_IT;
}

static int32_t data_words(const mcusim_instruction *current) {
    switch (current->kind) {
    case KIND_LOAD:
    case KIND_STORE:
    case KIND_STORE_INDEXED:
    case KIND_TABLE_BRANCH:
    case KIND_FP_LOAD:
    case KIND_FP_STORE:
        return 1;
    case KIND_LOAD_PAIR:
    case KIND_STORE_PAIR:
    case KIND_FP_LOAD_DOUBLE:
    case KIND_FP_STORE_DOUBLE:
        return 2;
    default:
        return current->count;
    }
}

/* Fill the step of the instruction at `index`; returns the number of instructions that it takes. */
static uint32_t next_step(hazards *state, uint32_t index, step *out) {
    const mcusim_instruction *current = &state->line[index];
    uint32_t taken_up = it_folds(state, index + 1) ? 2 : 1;
    const mcusim_instruction *following = index + taken_up < state->count ? current + taken_up : NULL;
    *out = (step){.end = current->address + current->size};
    out->cost = cost_of(state->timing, current, following);
    out->stall = stall_of(state, current);
    out->frees_word = taken_up == 2 || current->address & 2 || current->size == 4;
    out->blocks_fetch = blocks_fetch(current, following, out->cost);
    out->falls_through = current->branch == BRANCH_DIRECT && current->flags & FLAG_CONDITIONAL &&
                         !(state->taken && index == state->count - 1);
    out->data_words = data_words(current);
    if (current->kind >= KIND_FP_MOVE) {
        fill_fp(state, current, out);
    }
    if (taken_up == 2) {
        out->end += 2;
    }
    state->previous = current;
    return taken_up;
}

/* The fetch unit. Few words are in flight, so short rings hold all that is still needed. */
typedef struct {
    const mcusim_timing *timing;
    int32_t latency; /* until a word can be decoded */
    int32_t interval;
    int32_t data; /* cycles that a word of data keeps fetches away */
    int64_t data_from[BLOCKS];
    int64_t data_to[BLOCKS];
    int64_t issued_at[RING];
    int64_t freed_at[RING];
    int64_t blocked_at[BLOCKS]; /* first of two cycles each */
    uint32_t issued;
    uint32_t freed;    /* frees scheduled, some of them later than now */
    uint32_t seen;     /* of these, the ones that the unit has seen */
    uint32_t seen_now; /* and the ones up to now */
    uint32_t blocks;
    uint32_t accesses;
    int sticky;
} fetch_unit;

static uint32_t advance(const fetch_unit *fetch, uint32_t position, int64_t latest) {
    while (position < fetch->freed && fetch->freed_at[position % RING] <= latest) {
        ++position;
    }
    return position;
}

/* By the fetch before, or by data. */
static int bus_is_taken(const fetch_unit *fetch, int64_t now) {
    if (now < fetch->issued_at[(fetch->issued - 1) % RING] + fetch->interval) {
        return 1;
    }
    for (int i = 0; fetch->data && i < BLOCKS; ++i) {
        if (now >= fetch->data_from[i] && now < fetch->data_to[i]) {
            return 1;
        }
    }
    return 0;
}

static void fetch_cycle(fetch_unit *fetch, int64_t now, int slot_taken) {
    const mcusim_timing *timing = fetch->timing;
    uint32_t seen_before = fetch->seen_now;
    fetch->seen = advance(fetch, fetch->seen, now - timing->fetch_free_delay);
    fetch->seen_now = advance(fetch, fetch->seen_now, now);
    if (slot_taken || bus_is_taken(fetch, now)) {
        return;
    }
    for (int i = 0; timing->fetch_blocked && i < BLOCKS; ++i) {
        if (now == fetch->blocked_at[i] || now == fetch->blocked_at[i] + 1) {
            fetch->sticky = 0;
            return;
        }
    }
    uint32_t words = (uint32_t)timing->fetch_words;
    int room = fetch->issued - fetch->seen < words;
    if (room || (timing->fetch_sticky && fetch->sticky && fetch->issued - fetch->seen_now < words)) {
        fetch->issued_at[fetch->issued++ % RING] = now;
        if (fetch->seen_now != seen_before) {
            fetch->sticky = 1;
        }
    }
}

static int decodable(const fetch_unit *fetch, uint32_t last_word, int64_t now) {
    return last_word < fetch->issued && fetch->issued_at[last_word % RING] + fetch->latency <= now;
}

typedef struct {
    int64_t execute; /* of the last step */
    int64_t free_at;
    int64_t fpu_free_at;
} pipeline;

static void execute_step(pipeline *pipe, fetch_unit *fetch, const step *current, int64_t now) {
    int64_t execute = now + 1;
    if (execute < pipe->free_at + current->stall) {
        execute = pipe->free_at + current->stall;
    }
    if (current->uses_fpu) {
        if (execute < pipe->fpu_free_at + current->fp_stall) {
            execute = pipe->fpu_free_at + current->fp_stall;
        }
        pipe->fpu_free_at = execute + current->fp_latency;
    }
    if (current->frees_word) {
        fetch->freed_at[fetch->freed++ % RING] = execute - 1;
    }
    if (current->blocks_fetch) {
        fetch->blocked_at[fetch->blocks++ % BLOCKS] = execute + current->cost - 1;
    }
    if (current->data_words) {
        fetch->data_from[fetch->accesses % BLOCKS] = execute;
        fetch->data_to[fetch->accesses++ % BLOCKS] = execute + current->data_words * fetch->data;
    }
    pipe->execute = execute;
    pipe->free_at = execute + current->cost;
}

static int32_t refill(const mcusim_timing *timing, const mcusim_instruction *branch) {
    if (branch->kind == KIND_LOAD) {
        return timing->parameters[P_REFILL_LOAD];
    }
    if (branch->kind == KIND_LOAD_MANY) {
        return timing->parameters[P_REFILL_POP];
    }
    if (branch->branch == BRANCH_NONE || branch->branch == BRANCH_DIRECT || branch->branch == BRANCH_CALL) {
        return 0;
    }
    return timing->parameters[P_REFILL_REGISTER];
}

static fetch_unit fetch_begin(const mcusim_timing *timing, uint32_t start) {
    fetch_unit fetch = {.timing = timing,
                        .latency = FETCH_LATENCY,
                        .interval = 1,
                        .issued_at = {FIRST_ISSUE},
                        .issued = 1,
                        .blocked_at = {NEVER, NEVER, NEVER, NEVER}};
    if (start >= SYSTEM_START) {
        fetch.latency += timing->parameters[P_SYSTEM_LATENCY];
        fetch.interval = timing->parameters[P_SYSTEM_INTERVAL];
        fetch.data = timing->parameters[P_SYSTEM_DATA];
    }
    return fetch;
}

/* The pipeline right after the instruction at index `until` of the line began to execute. `spent`, if it is
 * wanted, gets the cycles that each step adds, in the place of its first instruction. */
static pipeline line_timeline(const mcusim_timing *timing, const mcusim_instruction *line, uint32_t count,
                              int taken, uint32_t until, uint32_t *spent) {
    hazards state = {.timing = timing, .line = line, .count = count, .taken = taken};
    fetch_unit fetch = fetch_begin(timing, line[0].address);
    pipeline pipe = {0, 0, 0};
    int64_t ended = 0;
    step current;
    uint32_t begun = 0;
    uint32_t index = next_step(&state, 0, &current);
    uint32_t first_word = line[0].address / 4;
    for (int64_t now = 0;; ++now) {
        int slot_taken = 0;
        int64_t earliest = pipe.execute > 1 ? pipe.execute : 1;
        if (now >= earliest && decodable(&fetch, (current.end - 1) / 4 - first_word, now)) {
            execute_step(&pipe, &fetch, &current, now);
            if (spent) {
                spent[begun] = (uint32_t)(pipe.free_at - 1 - ended);
                ended = pipe.free_at - 1;
                begun = index;
            }
            if (index > until) {
                return pipe;
            }
            slot_taken = current.falls_through;
            index += next_step(&state, index, &current);
        }
        fetch_cycle(&fetch, now, slot_taken);
    }
}

static uint64_t line_cycles(const mcusim_timing *timing, const mcusim_instruction *line, uint32_t count,
                            int taken, uint32_t *spent) {
    pipeline pipe = line_timeline(timing, line, count, taken, count - 1, spent);
    int32_t extra = taken ? refill(timing, &line[count - 1]) : 0;
    if (spent) {
        spent[count - 1] += (uint32_t)extra;
    }
    return (uint64_t)(pipe.free_at - 1 + extra);
}

static uint64_t split_cycles(const mcusim_timing *timing, const instruction_list *run, int taken,
                             uint32_t *spent) {
    uint64_t cycles = 0;
    uint32_t first = 0;
    for (uint32_t i = 0; i < run->count; ++i) {
        int last = i + 1 == run->count;
        if (last || ends_line(&run->items[i])) {
            cycles += line_cycles(timing, run->items + first, i + 1 - first, !last || taken,
                                  spent ? spent + first : NULL);
            first = i + 1;
        }
    }
    return cycles;
}

uint64_t run_cycles(const mcusim_timing *timing, const instruction_list *run, int taken) {
    return split_cycles(timing, run, taken, NULL);
}

uint64_t run_cycles_at(const mcusim_timing *timing, const instruction_list *run, uint32_t address) {
    uint64_t cycles = 0;
    uint32_t first = 0;
    for (uint32_t i = 0; i < run->count; ++i) {
        if (run->items[i].address >= address) {
            uint32_t count = run->count - first;
            return cycles +
                   (uint64_t)line_timeline(timing, run->items + first, count, 0, i - first, NULL).execute;
        }
        if (ends_line(&run->items[i])) {
            cycles += line_cycles(timing, run->items + first, i + 1 - first, 1, NULL);
            first = i + 1;
        }
    }
    return cycles;
}

uint64_t mcusim_cost(const mcusim_timing *timing, const uint8_t *code, uint32_t start, uint32_t size,
                     int32_t taken, uint32_t outcome) {
    instruction_list run = {NULL, 0, 0};
    decode_run(timing, code, start, size, &run);
    apply_outcomes(&run, outcome, taken);
    uint64_t cycles = run_cycles(timing, &run, taken);
    free(run.items);
    return cycles;
}

uint32_t mcusim_cost_each(const mcusim_timing *timing, const uint8_t *code, uint32_t start, uint32_t size,
                          int32_t taken, uint32_t outcome, mcusim_instruction_cost *costs) {
    instruction_list run = {NULL, 0, 0};
    decode_run(timing, code, start, size, &run);
    apply_outcomes(&run, outcome, taken);
    uint32_t *spent = allocate_zeroed(run.count, sizeof *spent);
    split_cycles(timing, &run, taken, spent);
    for (uint32_t i = 0; i < run.count; ++i) {
        costs[i] = (mcusim_instruction_cost){run.items[i].address, spent[i]};
    }
    uint32_t count = run.count;
    free(spent);
    free(run.items);
    return count;
}
