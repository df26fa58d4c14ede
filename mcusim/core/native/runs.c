#include "runs.h"

#include <string.h>

#include "allocate.h"
#include "outcomes.h"

enum { FIRST_TABLE_SIZE = 4096 };

void runs_init(run_store *store, const mcusim_spec *spec) {
    memset(store, 0, sizeof *store);
    store->spec = spec;
    store->table_size = FIRST_TABLE_SIZE;
    store->table = allocate_zeroed(store->table_size, sizeof *store->table);
}

void runs_free(run_store *store) {
    for (uint32_t i = 0; i < store->chunk_count; ++i) {
        free(store->chunks[i]);
    }
    free(store->chunks);
    free(store->table);
    free(store->decoded.items);
}

void runs_reset_counts(run_store *store) {
    for (uint32_t i = 0; i < store->count; ++i) {
        runs_at(store, i)->count = 0;
    }
}

int32_t function_at(const mcusim_spec *spec, uint32_t address) {
    uint32_t low = 0;
    uint32_t high = spec->function_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (spec->functions[middle].start <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > 0 && address < spec->functions[low - 1].end ? (int32_t)low - 1 : -1;
}

static int32_t function_starting_at(const mcusim_spec *spec, uint32_t address) {
    int32_t function = function_at(spec, address);
    return function >= 0 && spec->functions[function].start == address ? function : -1;
}

/* Decode [start, end) into the store's list; code outside every region decodes to nothing. */
static instruction_list *decode(run_store *store, uint32_t start, uint32_t end) {
    const mcusim_spec *spec = store->spec;
    store->decoded.count = 0;
    for (uint32_t i = 0; i < spec->code_count; ++i) {
        const mcusim_region *region = &spec->code[i];
        if (start >= region->start && end - region->start <= region->size && start <= end) {
            decode_run(spec->timing, region->data + (start - region->start), start, end - start,
                       &store->decoded);
            break;
        }
    }
    return &store->decoded;
}

int run_ends_line(run_store *store, uint32_t start, uint32_t end) {
    const instruction_list *run = decode(store, start, end);
    return run->count > 0 && ends_line(&run->items[run->count - 1]);
}

uint64_t runs_cycles_at(run_store *store, uint32_t start, uint32_t end, uint32_t address, uint32_t outcome) {
    instruction_list *run = decode(store, start, end);
    apply_outcomes(run, outcome, 0);
    return run_cycles_at(store->spec->timing, run, address);
}

static void fill_stack(run_edge *edge, const instruction_list *run) {
    int32_t sp = 0;
    int32_t lowest = 0;
    for (uint32_t i = 0; i < run->count; ++i) {
        const mcusim_instruction *instruction = &run->items[i];
        if (instruction->flags & FLAG_SP_DYNAMIC) {
            edge->writes_sp = 1;
            if (!edge->dynamic_sp) {
                edge->lowest = lowest;
                edge->sp_before = sp;
            }
            edge->dynamic_sp = 1;
            edge->names_sp |= instruction->kind == KIND_SYSTEM;
            sp = lowest = 0;
        }
        if (instruction->sp_delta) {
            edge->writes_sp = 1;
            sp = (int32_t)((uint32_t)sp + (uint32_t)instruction->sp_delta);
        }
        if (sp < lowest) {
            lowest = sp;
        }
    }
    if (edge->dynamic_sp) {
        edge->lowest_back = lowest - sp;
    } else {
        edge->lowest = lowest;
    }
    edge->sp_delta = sp;
}

static flow_kind flow_of(const run_store *store, const run_edge *edge, const mcusim_instruction *last) {
    switch (last->branch) {
    case BRANCH_CALL:
    case BRANCH_CALL_INDIRECT:
        return FLOW_CALL;
    case BRANCH_RETURN:
    case BRANCH_INDIRECT:
        return FLOW_INDIRECT;
    case BRANCH_DIRECT:
        return edge->function >= 0 && edge->function != function_at(store->spec, last->address) ? FLOW_TAIL
                                                                                                : FLOW_PLAIN;
    default:
        return FLOW_PLAIN;
    }
}

static void fill_edge(run_store *store, run_edge *edge) {
    instruction_list *run = decode(store, edge->key.start, edge->key.end);
    int taken = edge->key.next != 0;
    edge->function = taken ? function_starting_at(store->spec, edge->key.next) : -1;
    for (uint32_t i = 0; i < run->count; ++i) {
        ++edge->instructions;
        if (run->items[i].kind == KIND_UNKNOWN && !edge->undecoded) {
            edge->undecoded = run->items[i].address;
        }
    }
    if (run->count == 0) {
        edge->undecoded = edge->key.start;
    } else if (taken) {
        edge->flow = (uint8_t)flow_of(store, edge, &run->items[run->count - 1]);
    }
    fill_stack(edge, run);
    edge->attention = edge->writes_sp || edge->flow != FLOW_PLAIN || edge->undecoded;
    apply_outcomes(run, edge->key.outcome, taken);
    edge->cycles = (uint32_t)run_cycles(store->spec->timing, run, taken);
}

uint32_t run_stack_culprit(run_store *store, const run_edge *edge, uint32_t sp, uint32_t limit) {
    const instruction_list *run = decode(store, edge->key.start, edge->key.end);
    uint32_t culprit = edge->key.start;
    for (uint32_t i = 0; i < run->count; ++i) {
        const mcusim_instruction *instruction = &run->items[i];
        if (instruction->flags & FLAG_SP_DYNAMIC) {
            return instruction->address;
        }
        sp += (uint32_t)instruction->sp_delta;
        if (instruction->sp_delta < 0) {
            culprit = instruction->address;
        }
        if (sp < limit) {
            return culprit;
        }
    }
    return culprit;
}

static run_edge *add_edge(run_store *store) {
    if (store->count == store->chunk_count * CHUNK_EDGES) {
        store->chunks = reallocate(store->chunks, store->chunk_count + 1, sizeof *store->chunks);
        store->chunks[store->chunk_count++] = allocate_zeroed(CHUNK_EDGES, sizeof(run_edge));
    }
    return runs_at(store, store->count++);
}

static run_edge **free_slot(run_edge **table, uint32_t size, uint32_t hash) {
    uint32_t slot = hash & (size - 1);
    while (table[slot]) {
        slot = (slot + 1) & (size - 1);
    }
    return &table[slot];
}

static void grow_table(run_store *store) {
    uint32_t size = 2 * store->table_size;
    run_edge **table = allocate_zeroed(size, sizeof *table);
    for (uint32_t i = 0; i < store->count; ++i) {
        run_edge *edge = runs_at(store, i);
        *free_slot(table, size, run_hash(&edge->key)) = edge;
    }
    free(store->table);
    store->table = table;
    store->table_size = size;
}

run_edge *runs_find_in_table(run_store *store, const run_key *key, uint32_t hash) {
    run_edge *edge;
    uint32_t slot = hash & (store->table_size - 1);
    while ((edge = store->table[slot]) && !run_matches(edge, key)) {
        slot = (slot + 1) & (store->table_size - 1);
    }
    if (!edge) {
        if (2 * (store->count + 1) > store->table_size) {
            grow_table(store);
        }
        edge = add_edge(store);
        edge->key = *key;
        fill_edge(store, edge);
        *free_slot(store->table, store->table_size, hash) = edge;
    }
    store->direct[hash >> (32 - DIRECT_BITS)] = edge;
    return edge;
}
