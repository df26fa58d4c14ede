#include "access_plan.h"

#include <string.h>

#include "allocate.h"
#include "decode.h"
#include "outcomes.h"

enum { UNKNOWN = 0x4000, MAXIMUM_UNKNOWNS = 0x4000, NO_LOAD = -1 };

/* A value that the block's code does not tell; `value` holds it over sources once it is found. */
typedef struct {
    affine value;
    int32_t load; /* index of the access that loads it */
    uint16_t offset;
    uint8_t is_known;
    uint8_t is_before; /* `value` needs nothing from behind the block's entry */
} unknown_value;

typedef struct {
    memory_access access;
    affine address;
    affine status;
    uint32_t pc;
    uint32_t index; /* of the instruction */
    uint16_t slot;  /* of its capture, 0 for none */
    uint8_t condition;
} block_access;

/* An instruction whose cost depends on data; `access` is its own, -1 for none. */
typedef struct {
    uint32_t pc;
    uint32_t index; /* of the instruction */
    uint32_t word;
    int32_t access;
    uint8_t bits;
    uint8_t condition;
} block_outcome;

typedef struct {
    const mcusim_spec *spec;
    block_plan *plan;
    affine registers[16];
    unknown_value *unknowns;
    uint32_t unknown_count;
    block_access *accesses;
    block_outcome *outcomes;
    uint32_t access_count;
    uint32_t outcome_count;
    uint32_t instruction_count;
    int32_t last_flag_setter; /* index of an instruction, -1 for none */
    int is_whole;
} planner;

static affine new_unknown(planner *p, int32_t load, uint32_t offset) {
    p->unknowns = reallocate(p->unknowns, p->unknown_count + 1, sizeof *p->unknowns);
    p->unknowns[p->unknown_count] = (unknown_value){.load = load, .offset = (uint16_t)offset};
    return affine_source((uint16_t)(UNKNOWN + p->unknown_count++));
}

/* The word at a constant address that no store can change; 0 if it is not that. */
static int constant_word(const planner *p, const affine *address, uint32_t *word) {
    for (uint32_t i = 0; i < p->spec->bank_count && !address->terms; ++i) {
        const mcusim_bank *bank = &p->spec->banks[i];
        uint32_t offset = address->constant - bank->start;
        if (!bank->is_tracked && offset < bank->size && bank->size - offset >= sizeof *word) {
            memcpy(word, bank->data + offset, sizeof *word);
            return 1;
        }
    }
    return 0;
}

static affine loaded_value(planner *p, const block_access *access, uint32_t element) {
    affine address = access->address;
    uint32_t word;
    address.constant += element * access->access.unit;
    if (access->access.unit == sizeof word && constant_word(p, &address, &word)) {
        return affine_constant(word);
    }
    return new_unknown(p, (int32_t)p->access_count, element * access->access.unit);
}

static affine access_address(planner *p, uint32_t pc, const memory_access *access) {
    affine address = access->base == REG_PC ? affine_constant((pc + 4) & ~3u) : p->registers[access->base];
    address.constant += (uint32_t)access->offset;
    if (access->index >= 0 && !affine_add(&address, &p->registers[access->index], 1u << access->shift)) {
        return new_unknown(p, NO_LOAD, 0);
    }
    return address;
}

static void forget(planner *p, uint32_t registers) {
    for (uint32_t i = 0; i < 15; ++i) {
        if (registers >> i & 1) {
            p->registers[i] = new_unknown(p, NO_LOAD, 0);
        }
    }
}

static void add_access(planner *p, const mcusim_instruction *instruction, const memory_access *decoded,
                       uint8_t condition) {
    block_access access = {.access = *decoded, .pc = instruction->address, .condition = condition};
    access.index = p->instruction_count;
    access.address = access_address(p, access.pc, decoded);
    if (condition != CONDITION_ALWAYS) {
        forget(p, instruction->writes);
    } else {
        uint32_t others = instruction->writes;
        affine loaded[MAXIMUM_TARGETS];
        for (uint32_t i = 0; i < decoded->target_count; ++i) {
            loaded[i] = loaded_value(p, &access, i);
            others &= ~(1u << decoded->targets[i]);
        }
        if (decoded->write_back) {
            p->registers[decoded->base].constant += (uint32_t)decoded->write_back;
            others &= ~(1u << decoded->base);
        }
        for (uint32_t i = 0; i < decoded->target_count; ++i) {
            p->registers[decoded->targets[i]] = loaded[i];
        }
        forget(p, others);
    }
    if (decoded->status >= 0) {
        access.status = p->registers[decoded->status];
    }
    p->accesses = reallocate(p->accesses, p->access_count + 1, sizeof *p->accesses);
    p->accesses[p->access_count++] = access;
}

static void apply_effect(planner *p, const mcusim_instruction *instruction, uint32_t word,
                         uint8_t condition) {
    register_effect effect = {.target = -1};
    if (condition == CONDITION_ALWAYS && instruction->writes) {
        effect = affine_effect(word, instruction->size == 4, instruction->address, p->registers);
    }
    if (effect.target >= 0 && effect.target < 15) {
        p->registers[effect.target] = effect.value;
        forget(p, instruction->writes & ~(1u << effect.target));
    } else {
        forget(p, instruction->writes);
    }
}

static uint8_t advance_it(uint8_t state) {
    return state & 7 ? (uint8_t)((state & 0xE0) | (state << 1 & 0x1F)) : 0;
}

static void note_outcome(planner *p, const mcusim_instruction *instruction, uint32_t word,
                         uint8_t condition) {
    uint32_t bits = outcome_bits(instruction);
    if (bits && p->is_whole) {
        p->outcomes = reallocate(p->outcomes, p->outcome_count + 1, sizeof *p->outcomes);
        p->outcomes[p->outcome_count++] =
            (block_outcome){.pc = instruction->address,
                            .index = p->instruction_count,
                            .word = word,
                            .access = p->plan->last_accesses ? (int32_t)p->access_count : -1,
                            .bits = (uint8_t)bits,
                            .condition = condition};
    }
}

static void plan_instruction(planner *p, const uint8_t *code, uint32_t address, uint8_t *it_state,
                             mcusim_instruction *instruction) {
    uint8_t condition = *it_state & 0xF ? *it_state >> 4 : CONDITION_ALWAYS;
    uint32_t word = (uint32_t)code[0] | (uint32_t)code[1] << 8;
    memory_access access;
    mcusim_decode(p->spec->timing, code, address, *it_state & 0xF, instruction);
    int is_wide = instruction->size == 4;
    if (is_wide) {
        word = word << 16 | (uint32_t)code[2] | (uint32_t)code[3] << 8;
    }
    *it_state = instruction->it_length ? (uint8_t)word : advance_it(*it_state);
    p->plan->last_accesses = (uint8_t)decode_access(p->spec->accesses, word, is_wide, &access);
    note_outcome(p, instruction, word, condition);
    if (p->plan->last_accesses) {
        add_access(p, instruction, &access, condition);
    } else {
        apply_effect(p, instruction, word, condition);
    }
    if (instruction->flags & FLAG_SP_DYNAMIC && instruction->kind == KIND_SYSTEM) {
        forget(p, 1u << REG_SP);
    }
    if (instruction->flags & FLAG_SETS_FLAGS || instruction->kind == KIND_SYSTEM) {
        p->last_flag_setter = (int32_t)p->instruction_count;
    }
    ++p->instruction_count;
}

static void walk(planner *p, const uint8_t *code) {
    block_plan *plan = p->plan;
    uint8_t it_state = plan->it_state;
    for (uint16_t i = 0; i < 16; ++i) {
        p->registers[i] = affine_source((uint16_t)(SOURCE_ENTRY + i));
    }
    for (uint32_t position = 0; position + 2 <= plan->size;) {
        uint8_t bytes[4] = {code[position], code[position + 1], 0, 0};
        mcusim_instruction instruction;
        if (position + 4 <= plan->size) {
            bytes[2] = code[position + 2];
            bytes[3] = code[position + 3];
        }
        plan->last = plan->start + position;
        plan_instruction(p, bytes, plan->last, &it_state, &instruction);
        position += instruction.size;
    }
    plan->it_state_next = it_state;
}

/* Replace unknowns by what is known of them; 0 if something stays unknown. */
static int resolve(const planner *p, const affine *value, affine *resolved) {
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

/* `value` is known to be what `source` holds: find the one unknown in it. */
static int solve(planner *p, const affine *value, uint16_t source) {
    affine rest;
    affine known;
    unknown_value *unknown = only_unknown(p, value, &rest);
    if (!unknown || !resolve(p, &rest, &known)) {
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

static int solve_exits(planner *p) {
    int progress = 0;
    for (uint16_t i = 0; i < 15; ++i) {
        progress |= solve(p, &p->registers[i], SOURCE_EXIT + i);
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

static uint16_t new_slots(planner *p, uint32_t count) {
    p->plan->slots += count;
    return (uint16_t)(p->plan->slots - count);
}

static void add_planned(planned_access **list, uint32_t *count, const planned_access *access) {
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
    if (!resolve(p, &load->address, &address)) {
        return 0;
    }
    int before = p->is_whole && is_before(p, &load->address) && !may_change(p, load, 0, load->index);
    if (!before && may_change(p, load, load->index + 1, UINT32_MAX)) {
        return 0;
    }
    fetch.address = address;
    fetch.address.constant += unknown->offset;
    fetch.target = new_slots(p, 1);
    unknown->value = affine_source(fetch.target);
    unknown->is_known = 1;
    unknown->is_before = (uint8_t)before;
    if (before) {
        add_planned(&p->plan->entry, &p->plan->entry_count, &fetch);
    } else {
        add_planned(&p->plan->exit, &p->plan->exit_count, &fetch);
    }
    return 1;
}

static int solve_value(planner *p, const affine *value);

static int solve_unknown(planner *p, uint16_t source) {
    unknown_value *unknown = &p->unknowns[source - UNKNOWN];
    if (unknown->is_known) {
        return 1;
    }
    if (unknown->load == NO_LOAD) {
        return 0;
    }
    const block_access *load = &p->accesses[unknown->load];
    return solve_value(p, &load->address) && read_again(p, unknown);
}

/* Find every unknown in `value` by reading memory again; 0 if that is not possible. */
static int solve_value(planner *p, const affine *value) {
    for (int i = 0; i < value->terms; ++i) {
        if (value->source[i] >= UNKNOWN && !solve_unknown(p, value->source[i])) {
            return 0;
        }
    }
    return 1;
}

static int flags_change_behind(const planner *p, uint8_t condition, uint32_t index) {
    return condition != CONDITION_ALWAYS && p->last_flag_setter >= (int32_t)index;
}

static uint16_t add_capture(planner *p, planned_capture capture) {
    block_plan *plan = p->plan;
    capture.target = new_slots(p, 2);
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
    solve(p, &access->address, access->slot);
    while (solve_exits(p)) {
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
    int is_single =
        resolve(p, value, &resolved) && resolved.terms == 1 && resolved.factor[0] == 1 && !resolved.constant;
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
    solve(p, &access->status, slot);
    while (solve_exits(p)) {
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
    int is_found = solve_value(p, &access->address) && resolve(p, &access->address, &planned.address) &&
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
    add_planned(&plan->exit, &plan->exit_count, &planned);
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
    walk(&p, code);
    while (solve_exits(&p)) {
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
