#include "allocate.h"
#include "outcomes.h"
#include "planner.h"

static int flags_change_behind(const planner *p, uint8_t condition, uint32_t index) {
    return condition != CONDITION_ALWAYS && p->last_flag_setter >= (int32_t)index;
}

static uint16_t add_capture(planner *p, planned_capture capture) {
    block_plan *plan = p->plan;
    capture.target = planner_new_slots(p, 2);
    plan->captures = reallocate(plan->captures, plan->capture_count + 1, sizeof *plan->captures);
    plan->captures[plan->capture_count++] = capture;
    return capture.target;
}

static void capture_address(planner *p, block_access *access) {
    access->slot = add_capture(p, (planned_capture){.kind = CAPTURE_ADDRESS,
                                                    .pc = access->pc,
                                                    .offset = access->access.offset,
                                                    .base = access->access.base,
                                                    .index = access->access.index,
                                                    .shift = access->access.shift,
                                                    .condition = access->condition});
    if (access->condition != CONDITION_ALWAYS) {
        return; /* a skipped instruction is not called back */
    }
    planner_solve(p, &access->address, access->slot);
    while (planner_solve_exits(p)) {
    }
}

/* Arm DDI 0403E, A7.7.127 and A7.7.195: bit 21 tells UDIV from SDIV. */
static uint16_t capture_division(planner *p, const block_outcome *division) {
    return add_capture(p, (planned_capture){.kind = division->word >> 21 & 1 ? CAPTURE_UDIV : CAPTURE_SDIV,
                                            .pc = division->pc,
                                            .base = (int8_t)(division->word >> 16 & 15),
                                            .index = (int8_t)(division->word & 15),
                                            .condition = division->condition});
}

/* Behind the accesses, whose captures tell as well what was skipped. */
static void emit_outcome(planner *p, const block_outcome *outcome) {
    block_plan *plan = p->plan;
    planned_outcome planned = {.pc = outcome->pc, .bits = outcome->bits, .condition = outcome->condition};
    if (outcome->bits > 1) {
        planned.slot = capture_division(p, outcome);
    } else if (outcome->access >= 0) {
        planned.slot = p->accesses[outcome->access].slot;
    } else if (flags_change_behind(p, outcome->condition, outcome->index)) {
        planned.slot = add_capture(p, (planned_capture){.pc = outcome->pc, .condition = outcome->condition});
    }
    plan->needs_flags |= !planned.slot;
    plan->outcomes = reallocate(plan->outcomes, plan->outcome_count + 1, sizeof *plan->outcomes);
    plan->outcomes[plan->outcome_count++] = planned;
}

static uint16_t single_source(const planner *p, const affine *value) {
    affine resolved;
    int is_single = planner_resolve(p, value, &resolved) && resolved.terms == 1 && resolved.factor[0] == 1 &&
                    !resolved.constant;
    return is_single ? resolved.source[0] : NO_SOURCE;
}

/* The source that tells whether an exclusive store stored (0): its status register, which the instruction
 * behind it (the store takes four bytes) still sees if a later one overwrites it. */
static uint16_t status_source(planner *p, const block_access *access) {
    uint16_t known = single_source(p, &access->status);
    if (known != NO_SOURCE) {
        return known;
    }
    uint16_t slot = add_capture(p, (planned_capture){.kind = CAPTURE_ADDRESS,
                                                     .pc = access->pc + 4,
                                                     .base = access->access.status,
                                                     .index = -1,
                                                     .condition = CONDITION_ALWAYS});
    planner_solve(p, &access->status, slot);
    while (planner_solve_exits(p)) {
    }
    return slot;
}

static void emit(planner *p, block_access *access) {
    block_plan *plan = p->plan;
    planned_access planned = {.pc = access->pc,
                              .size = (uint16_t)(access->access.unit * access->access.count),
                              .null_end = access->access.base == REG_PC ? 0 : (uint16_t)p->spec->null_end,
                              .low_bits = access->access.unit - 1,
                              .aligned = access->access.aligned,
                              .store = access->access.store,
                              .if_zero = NO_SOURCE,
                              .if_set = NO_SOURCE,
                              .condition = access->condition};
    int is_found = planner_solve_value(p, &access->address) &&
                   planner_resolve(p, &access->address, &planned.address) &&
                   !flags_change_behind(p, access->condition, access->index);
    int is_lost = access->access.status >= 0 && single_source(p, &access->status) == NO_SOURCE;
    if ((!is_found || is_lost) && !p->is_whole) {
        ++plan->dropped;
        return;
    }
    if (!is_found) {
        capture_address(p, access);
        planned.address = affine_source(access->slot);
        planned.if_set = access->slot + 1;
        planned.condition = CONDITION_ALWAYS;
    }
    if (access->access.status >= 0) {
        planned.if_zero = status_source(p, access);
    }
    planned.is_certain =
        planned.condition == CONDITION_ALWAYS && planned.if_zero == NO_SOURCE && planned.if_set == NO_SOURCE;
    plan->needs_flags |= planned.condition != CONDITION_ALWAYS;
    planner_add(&plan->exit, &plan->exit_count, &planned);
}

static int is_exit(uint16_t source) {
    return source >= SOURCE_EXIT && source < SOURCE_SLOT;
}

static uint8_t needs_exit(const block_plan *plan) {
    for (uint32_t i = 0; i < plan->exit_count; ++i) {
        const planned_access *access = &plan->exit[i];
        for (int term = 0; term < access->address.terms; ++term) {
            if (is_exit(access->address.source[term])) {
                return 1;
            }
        }
        if (is_exit(access->if_zero) || is_exit(access->if_set)) {
            return 1;
        }
    }
    return 0;
}

block_plan *plan_block(const mcusim_spec *spec, const uint8_t *code, uint32_t start, uint32_t size,
                       uint8_t it_state, int is_whole) {
    planner p = {.spec = spec, .last_flag_setter = -1, .is_whole = is_whole};
    p.plan = allocate_zeroed(1, sizeof *p.plan);
    p.plan->start = start;
    p.plan->size = size;
    p.plan->it_state = it_state;
    p.plan->slots = SOURCE_SLOT;
    planner_walk(&p, code);
    while (planner_solve_exits(&p)) {
    }
    for (uint32_t i = 0; i < p.access_count; ++i) {
        emit(&p, &p.accesses[i]);
    }
    for (uint32_t i = 0; i < p.outcome_count; ++i) {
        emit_outcome(&p, &p.outcomes[i]);
    }
    plan_ranges(p.plan, spec);
    p.plan->needs_exit = needs_exit(p.plan);
    p.plan->is_hooked = p.plan->capture_count == 0;
    free(p.unknowns);
    free(p.accesses);
    free(p.outcomes);
    return p.plan;
}

void plan_free(block_plan *plan) {
    free(plan->entry);
    free(plan->exit);
    free(plan->stretches);
    free(plan->ranges);
    free(plan->captures);
    free(plan->outcomes);
    free(plan);
}
