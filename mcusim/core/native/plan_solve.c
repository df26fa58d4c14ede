/* Finding what a block's code does not tell: from registers behind it, or by reading memory again. */
#include "allocate.h"
#include "planner.h"

int planner_resolve(const planner *p, const affine *value, affine *resolved) {
    *resolved = affine_constant(value->constant);
    for (int i = 0; i < value->terms; ++i) {
        affine term = affine_source(value->source[i]);
        if (value->source[i] >= UNKNOWN) {
            const unknown_value *unknown = &p->unknowns[value->source[i] - UNKNOWN];
            if (!unknown->is_known) {
                return 0;
            }
            term = unknown->value;
        }
        if (!affine_add(resolved, &term, value->factor[i])) {
            return 0;
        }
    }
    return 1;
}

static int is_before(const planner *p, const affine *value) {
    for (int i = 0; i < value->terms; ++i) {
        uint16_t source = value->source[i];
        int known_before = source >= UNKNOWN && p->unknowns[source - UNKNOWN].is_before;
        if (source >= SOURCE_EXIT && !known_before) {
            return 0;
        }
    }
    return 1;
}

static unknown_value *only_unknown(planner *p, const affine *value, affine *rest) {
    unknown_value *found = NULL;
    *rest = *value;
    for (int i = 0; i < value->terms; ++i) {
        if (value->source[i] < UNKNOWN || p->unknowns[value->source[i] - UNKNOWN].is_known) {
            continue;
        }
        if (found || value->factor[i] != 1) {
            return NULL;
        }
        found = &p->unknowns[value->source[i] - UNKNOWN];
        affine term = affine_source(value->source[i]);
        affine_add(rest, &term, UINT32_MAX);
    }
    return found;
}

int planner_solve(planner *p, const affine *value, uint16_t source) {
    affine rest;
    affine known;
    unknown_value *unknown = only_unknown(p, value, &rest);
    if (!unknown || !planner_resolve(p, &rest, &known)) {
        return 0;
    }
    affine solution = affine_source(source);
    if (!affine_add(&solution, &known, UINT32_MAX)) {
        return 0;
    }
    unknown->value = solution;
    unknown->is_known = 1;
    return 1;
}

int planner_solve_exits(planner *p) {
    int progress = 0;
    for (uint16_t i = 0; i < 15; ++i) {
        progress |= planner_solve(p, &p->registers[i], SOURCE_EXIT + i);
    }
    return progress;
}

/* Whether a store of instructions [first, last) may change the bytes of a load. */
static int may_change(const planner *p, const block_access *load, uint32_t first, uint32_t last) {
    for (uint32_t i = 0; i < p->access_count; ++i) {
        const block_access *store = &p->accesses[i];
        int32_t apart;
        if (!store->access.store || store->index < first || store->index >= last) {
            continue;
        }
        if (!affine_difference(&store->address, &load->address, &apart) ||
            (apart < load->access.unit * load->access.count &&
             -apart < store->access.unit * store->access.count)) {
            return 1;
        }
    }
    return 0;
}

uint16_t planner_new_slots(planner *p, uint32_t count) {
    p->plan->slots += count;
    return (uint16_t)(p->plan->slots - count);
}

void planner_add(planned_access **list, uint32_t *count, const planned_access *access) {
    *list = reallocate(*list, *count + 1, sizeof **list);
    (*list)[(*count)++] = *access;
}

/* Plan to read a loaded value again, before the block or behind it. */
static int read_again(planner *p, unknown_value *unknown) {
    const block_access *load = &p->accesses[unknown->load];
    planned_access fetch = {.pc = load->pc,
                            .size = load->access.unit,
                            .is_signed = load->access.is_signed,
                            .if_zero = NO_SOURCE,
                            .if_set = NO_SOURCE,
                            .condition = CONDITION_ALWAYS};
    affine address;
    if (!planner_resolve(p, &load->address, &address)) {
        return 0;
    }
    int before = p->is_whole && is_before(p, &load->address) && !may_change(p, load, 0, load->index);
    if (!before && may_change(p, load, load->index + 1, UINT32_MAX)) {
        return 0;
    }
    fetch.address = address;
    fetch.address.constant += unknown->offset;
    fetch.target = planner_new_slots(p, 1);
    unknown->value = affine_source(fetch.target);
    unknown->is_known = 1;
    unknown->is_before = (uint8_t)before;
    if (before) {
        planner_add(&p->plan->entry, &p->plan->entry_count, &fetch);
    } else {
        planner_add(&p->plan->exit, &p->plan->exit_count, &fetch);
    }
    return 1;
}

static int solve_unknown(planner *p, uint16_t source) {
    unknown_value *unknown = &p->unknowns[source - UNKNOWN];
    if (unknown->is_known) {
        return 1;
    }
    if (unknown->load == NO_LOAD) {
        return 0;
    }
    const block_access *load = &p->accesses[unknown->load];
    return planner_solve_value(p, &load->address) && read_again(p, unknown);
}

int planner_solve_value(planner *p, const affine *value) {
    for (int i = 0; i < value->terms; ++i) {
        if (value->source[i] >= UNKNOWN && !solve_unknown(p, value->source[i])) {
            return 0;
        }
    }
    return 1;
}
