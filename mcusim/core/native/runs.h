/* Distinct linear runs: what each costs, does to the stack, and how often it ran. */
#ifndef MCUSIM_RUNS_H
#define MCUSIM_RUNS_H

#include "timing.h"

/* A run [start, end) followed by `next`; 0 means that it ended without a branch. Runs are told apart by the
 * node of the call tree that they ran in, and by what they did where that depends on data (outcomes.h). */
typedef struct {
    uint32_t start;
    uint32_t end;
    uint32_t next;
    int32_t node;
    uint32_t outcome;
} run_key;

/* What the branch at the end of a run does to the call stack. */
typedef enum {
    FLOW_PLAIN,
    FLOW_CALL,
    FLOW_INDIRECT, /* a return, a tail call or a jump: known by the shadow call stack only */
    FLOW_TAIL,     /* direct branch to another function's start */
} flow_kind;

/* What a run costs and does, wherever it ran and goes on. */
typedef struct {
    uint32_t cycles;
    uint32_t instructions;
    uint32_t undecoded; /* address of the first unknown instruction, 0 if there is none */
    uint32_t last;      /* address of the last instruction */
    uint8_t branch;     /* its kind */
    uint8_t writes_sp;
    uint8_t dynamic_sp;
    uint8_t names_sp;    /* MSR, perhaps of a stack pointer, writes it */
    int32_t sp_before;   /* SP at the first dynamic write, relative to the start */
    int32_t sp_delta;    /* over the whole run, or from the last dynamic write on */
    int32_t lowest;      /* lowest SP relative to the start, up to the first dynamic write */
    int32_t lowest_back; /* lowest SP relative to the end, from the last dynamic write on */
} run_code;

typedef struct {
    run_key key;
    int32_t function; /* index of the function that starts at `next`, -1 for none */
    uint64_t count;
    uint8_t attention; /* something beside counting is to be done */
    uint8_t flow;
    run_code code;
} run_edge;

enum { DIRECT_BITS = 14, CODE_BITS = 12, CHUNK_EDGES = 1024 };

typedef struct {
    const mcusim_spec *spec;
    run_edge *direct[1 << DIRECT_BITS]; /* the last edge seen at each hash */
    run_edge *by_code[1 << CODE_BITS];  /* the last one added, by hash of what tells its code apart */
    run_edge **table;                   /* all edges, open addressing */
    uint32_t table_size;
    uint32_t count;
    run_edge **chunks;
    uint32_t chunk_count;
    instruction_list decoded;
} run_store;

void runs_init(run_store *store, const mcusim_spec *spec);
void runs_free(run_store *store);
void runs_reset_counts(run_store *store);

/* The slow path of runs_find. */
run_edge *runs_find_in_table(run_store *store, const run_key *key, uint32_t hash);

/* Index of the function that holds `address`, -1 for none. */
int32_t function_at(const mcusim_spec *spec, uint32_t address);

/* Whether the instruction that ends at `end` of the run from `start` never goes on behind itself. */
int run_ends_line(run_store *store, uint32_t start, uint32_t end);

/* Cycles from the start of the run to the first execute cycle of the instruction at `address` in it, with
 * what is known of the outcomes before that. */
uint64_t runs_cycles_at(run_store *store, uint32_t start, uint32_t end, uint32_t address, uint32_t outcome);

/* The instruction of the run that moves the stack pointer below `limit`, if `sp` is it at the start. */
uint32_t run_stack_culprit(run_store *store, const run_edge *edge, uint32_t sp, uint32_t limit);

static inline uint32_t run_hash(const run_key *key) {
    uint32_t hash = key->start * 0x9E3779B1u ^ key->end * 0x85EBCA6Bu ^ key->next * 0xC2B2AE35u ^
                    (uint32_t)key->node * 0x27D4EB2Fu ^ key->outcome * 0x165667B1u;
    return hash ^ hash >> 15;
}

static inline int run_matches(const run_edge *edge, const run_key *key) {
    return edge->key.start == key->start && edge->key.end == key->end && edge->key.next == key->next &&
           edge->key.node == key->node && edge->key.outcome == key->outcome;
}

static inline run_edge *runs_find(run_store *store, const run_key *key) {
    uint32_t hash = run_hash(key);
    run_edge *edge = store->direct[hash >> (32 - DIRECT_BITS)];
    if (edge && run_matches(edge, key)) {
        return edge;
    }
    return runs_find_in_table(store, key, hash);
}

static inline run_edge *runs_at(const run_store *store, uint32_t index) {
    return &store->chunks[index / CHUNK_EDGES][index % CHUNK_EDGES];
}

#endif
