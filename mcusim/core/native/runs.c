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

static void fill_stack(run_code *code, const instruction_list *run) {
    int32_t sp = 0;
    int32_t lowest = 0;
    for (uint32_t i = 0; i < run->count; ++i) {
        const mcusim_instruction *instruction = &run->items[i];
        if (instruction->flags & FLAG_SP_DYNAMIC) {
            code->writes_sp = 1;
            if (!code->dynamic_sp) {
                code->lowest = lowest;
                code->sp_before = sp;
            }
            code->dynamic_sp = 1;
            code->names_sp |= instruction->kind == KIND_SYSTEM;
            sp = lowest = 0;
        }
        if (instruction->sp_delta) {
            code->writes_sp = 1;
            sp = (int32_t)((uint32_t)sp + (uint32_t)instruction->sp_delta);
        }
        if (sp < lowest) {
            lowest = sp;
        }
    }
    if (code->dynamic_sp) {
        code->lowest_back = lowest - sp;
    } else {
        code->lowest = lowest;
    }
    code->sp_delta = sp;
}

static flow_kind flow_of(const run_store *store, const run_edge *edge) {
    switch (edge->code.branch) {
    case BRANCH_CALL:
    case BRANCH_CALL_INDIRECT:
        return FLOW_CALL;
    case BRANCH_RETURN:
    case BRANCH_INDIRECT:
        return FLOW_INDIRECT;
    case BRANCH_DIRECT:
        return edge->function >= 0 && edge->function != function_at(store->spec, edge->code.last)
                   ? FLOW_TAIL
                   : FLOW_PLAIN;
    default:
        return FLOW_PLAIN;
    }
}

static void fill_code(run_store *store, const run_key *key, run_code *code) {
    instruction_list *run = decode(store, key->start, key->end);
    int taken = key->next != 0;
    code->instructions = run->count;
    code->undecoded = run->count ? 0 : key->start;
    for (uint32_t i = 0; i < run->count && !code->undecoded; ++i) {
        code->undecoded = run->items[i].kind == KIND_UNKNOWN ? run->items[i].address : 0;
    }
    if (run->count) {
        code->last = run->items[run->count - 1].address;
        code->branch = run->items[run->count - 1].branch;
    }
    fill_stack(code, run);
    apply_outcomes(run, key->outcome, taken);
    code->cycles = (uint32_t)run_cycles(store->spec->timing, run, taken);
}

static int is_same_code(const run_key *a, const run_key *b) {
    return a->start == b->start && a->end == b->end && a->outcome == b->outcome && !a->next == !b->next;
}

/* Many edges are the same code in another place of the call tree, or with another branch behind it. */
static void fill_edge(run_store *store, run_edge *edge) {
    const run_key code = {edge->key.start, edge->key.end, edge->key.next != 0, 0, edge->key.outcome};
    run_edge **like = &store->by_code[run_hash(&code) >> (32 - CODE_BITS)];
    int taken = edge->key.next != 0;
    if (*like && is_same_code(&(*like)->key, &edge->key)) {
        edge->code = (*like)->code;
    } else {
        fill_code(store, &edge->key, &edge->code);
        *like = edge;
    }
    edge->function = taken ? function_starting_at(store->spec, edge->key.next) : -1;
    edge->flow = (uint8_t)(taken ? flow_of(store, edge) : FLOW_PLAIN);
    edge->attention = edge->code.writes_sp || edge->flow != FLOW_PLAIN || edge->code.undecoded;
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
