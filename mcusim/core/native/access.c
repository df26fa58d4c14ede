#include "access.h"

#include <string.h>

#include "allocate.h"

enum { MAXIMUM_STRAYS = 64, CONTROL_BLOCK_REGISTERS = 15 };
#define STREAM_FACTOR 0x9E3779B97F4A7C15u
/* Parameter number of mcusim/timing/rules.py. */
enum { P_UNALIGNED = 36 };
enum { FLAG_N = 8, FLAG_Z = 4, FLAG_C = 2, FLAG_V = 1 };

static const mcusim_bank *find_bank(const access_tracker *tracker, uint32_t address) {
    for (uint32_t i = 0; i < tracker->spec->bank_count; ++i) {
        const mcusim_bank *bank = &tracker->spec->banks[i];
        if (address - bank->start < bank->size) {
            return bank;
        }
    }
    return NULL;
}

/* Liveness is told apart as the regions of SRAM are. */
static void init_liveness(access_tracker *tracker) {
    const mcusim_spec *spec = tracker->spec;
    live_part *parts = allocate_zeroed(spec->sram_count, sizeof *parts);
    for (uint32_t i = 0; i < spec->sram_count; ++i) {
        const mcusim_bank *bank = find_bank(tracker, spec->sram[i].start);
        if (bank && bank->is_tracked) {
            parts[i].first = bank->first + (spec->sram[i].start - bank->start);
            parts[i].end = parts[i].first + spec->sram[i].size;
        }
    }
    liveness_init(&tracker->live, spec->tracked_bytes, parts, spec->sram_count);
    free(parts);
}

void access_init(access_tracker *tracker, const mcusim_spec *spec, flash_unit *flash, flash_survey *survey) {
    memset(tracker, 0, sizeof *tracker);
    tracker->spec = spec;
    tracker->flash = flash;
    tracker->survey = survey;
    while (tracker->tracked_count < spec->bank_count && spec->banks[tracker->tracked_count].is_tracked) {
        ++tracker->tracked_count;
    }
    tracker->value_count = SOURCE_SLOT;
    tracker->values = allocate_zeroed(tracker->value_count, sizeof *tracker->values);
    tracker->unwritten.rows = allocate_zeroed(MAXIMUM_STRAYS, sizeof *tracker->unwritten.rows);
    tracker->null_reads.rows = allocate_zeroed(MAXIMUM_STRAYS, sizeof *tracker->null_reads.rows);
    waits_init(&tracker->waits);
    init_liveness(tracker);
}

void access_free(access_tracker *tracker) {
    const mcusim_emulator *emulator = &tracker->spec->emulator;
    for (uint32_t i = 0; i < tracker->hook_count; ++i) {
        emulator->hook_del(emulator->engine, tracker->hooks[i]);
    }
    for (uint32_t i = 0; i < PLAN_BUCKETS; ++i) {
        while (tracker->plans[i]) {
            block_plan *next = tracker->plans[i]->next;
            plan_free(tracker->plans[i]);
            tracker->plans[i] = next;
        }
    }
    waits_free(&tracker->waits);
    liveness_free(&tracker->live);
    free(tracker->values);
    free(tracker->unwritten.rows);
    free(tracker->null_reads.rows);
    free(tracker->hooks);
    free(tracker->hooked);
}

void access_begin(access_tracker *tracker, int measure) {
    tracker->pending = NULL;
    tracker->it_state = 0;
    tracker->lost = 0;
    tracker->stream_hash = 0;
    tracker->waited = 0;
    waits_clear(&tracker->waits);
    tracker->unwritten.count = tracker->null_reads.count = 0;
    tracker->fault = (mcusim_stop_state){STOP_NONE, 0, 0};
    tracker->outcomes = (outcome_list){0, 0};
    tracker->is_suspended = !tracker->spec->bank_count;
    tracker->is_measured = !tracker->is_suspended && measure;
    tracker->in_ranges =
        !tracker->spec->hash_accesses && !tracker->spec->flash.wait_states && !tracker->survey->is_on;
    liveness_begin(&tracker->live);
    if (tracker->is_suspended) {
        tracker->live.map.until = UINT64_MAX;
    }
}

static void copy_registers(access_tracker *tracker, uint32_t first) {
    const mcusim_emulator *emulator = &tracker->spec->emulator;
    if (emulator->registers) {
        memcpy(tracker->values + first, emulator->registers, 16 * sizeof *tracker->values);
        return;
    }
    for (uint32_t i = 0; i < CONTROL_BLOCK_REGISTERS; ++i) {
        emulator->reg_read(emulator->engine, emulator->core_registers[i], tracker->values + first + i);
    }
}

static uint32_t read_flags(const access_tracker *tracker) {
    const mcusim_emulator *emulator = &tracker->spec->emulator;
    uint64_t status = 0;
    emulator->reg_read(emulator->engine, emulator->status_register, &status);
    return (uint32_t)status >> 28;
}

/* Arm DDI 0403E, A7.3.1; odd conditions are the opposites of the even ones before them. */
static int holds(uint8_t condition, uint32_t flags) {
    int n = (flags & FLAG_N) != 0;
    int z = (flags & FLAG_Z) != 0;
    int c = (flags & FLAG_C) != 0;
    int v = (flags & FLAG_V) != 0;
    const int even[] = {z, c, n, v, c && !z, n == v, n == v && !z, 1};
    return condition >= CONDITION_ALWAYS || even[condition >> 1] != (condition & 1);
}

static void note_stray(stray_reads *reads, uint32_t pc, uint32_t address) {
    for (uint32_t i = 0; i < reads->count; ++i) {
        if (reads->rows[i].pc == pc) {
            ++reads->rows[i].count;
            return;
        }
    }
    if (reads->count < MAXIMUM_STRAYS) {
        reads->rows[reads->count++] = (mcusim_stray_read){1, pc, address};
    }
}

static inline void note(access_tracker *tracker, uint32_t pc, uint32_t address, uint32_t size, int store) {
    const mcusim_bank *bank = tracker->spec->banks;
    for (uint32_t i = 0; i < tracker->tracked_count; ++i, ++bank) {
        uint32_t offset = address - bank->start;
        if (offset >= bank->size) {
            continue;
        }
        uint32_t inside = bank->size - offset < size ? bank->size - offset : size;
        if (store) {
            liveness_write(&tracker->live, bank->first + offset, inside);
        } else if (liveness_read(&tracker->live, bank->first + offset, inside)) {
            note_stray(&tracker->unwritten, pc, address);
        }
        return;
    }
}

void access_advance(access_tracker *tracker, uint64_t cycles) {
    liveness_advance(&tracker->live, cycles);
}

void access_note(access_tracker *tracker, uint32_t pc, uint32_t address, uint32_t size, int store) {
    if (tracker->is_measured && size) {
        note(tracker, pc, address, size, store);
    }
}

void access_set_heap(access_tracker *tracker, uint32_t start, uint32_t end) {
    const mcusim_bank *bank = find_bank(tracker, start);
    if (bank && bank->is_tracked && end > start && end - bank->start <= bank->size) {
        liveness_set_heap(&tracker->live, bank->first + (start - bank->start),
                          bank->first + (end - bank->start));
    }
}

uint32_t access_high_water(const access_tracker *tracker, uint32_t address, uint32_t size) {
    const mcusim_bank *bank = find_bank(tracker, address);
    return bank && bank->is_tracked
               ? liveness_high_water(&tracker->live, bank->first + (address - bank->start), size)
               : 0;
}

static inline uint32_t sum(const affine *value, const uint32_t *values) {
    uint32_t result = value->constant;
    /* All terms, though most have the factor 0: the host cannot foretell how many there are. */
    for (int i = 0; i < MAXIMUM_TERMS; ++i) {
        result += value->factor[i] * values[value->source[i]];
    }
    return result;
}

/* Take an access into the hash, word by word where it moves several; as `mix` of mcusim/core/stream.py. */
static void hash_access(access_tracker *tracker, const planned_access *access, uint32_t address) {
    const mcusim_bank *bank = find_bank(tracker, address);
    uint32_t unit = access->size > 4 ? 4 : access->size;
    for (uint32_t offset = 0; bank && bank->is_tracked && offset < access->size; offset += unit) {
        uint64_t element =
            (uint64_t)(address + offset) | (uint64_t)unit << 32 | (uint64_t)access->store << 40;
        tracker->stream_hash = (tracker->stream_hash ^ element) * STREAM_FACTOR;
        tracker->stream_hash ^= tracker->stream_hash >> 32;
    }
}

/* The value in memory now; memory that is not the chip's own, such as a device's, cannot be read again. */
static uint32_t fetch(access_tracker *tracker, const planned_access *access, uint32_t address) {
    const mcusim_bank *bank = find_bank(tracker, address);
    uint32_t value = 0;
    if (!bank || bank->size - (address - bank->start) < access->size) {
        ++tracker->lost;
        return 0;
    }
    memcpy(&value, bank->data + (address - bank->start), access->size);
    if (access->is_signed && value >> (8 * access->size - 1)) {
        value |= ~0u << (8 * access->size - 1);
    }
    return value;
}

/* Rule 14 for data that are not aligned, and constants in flash. */
static inline uint32_t wait_cycles(const access_tracker *tracker, const planned_access *access,
                                   uint32_t address) {
    uint32_t waited = 0;
    uint32_t misaligned = address & access->low_bits;
    if (misaligned && (access->size == 2 || access->size == 4)) {
        uint32_t step = (uint32_t)tracker->spec->timing->parameters[P_UNALIGNED];
        waited = access->size == 4 && misaligned & 1 ? 2 * step : step;
    }
    if (tracker->spec->flash.wait_states && !access->store) {
        for (uint32_t offset = 0; offset < access->size; offset += 4) {
            waited += flash_read(tracker->flash, address + offset);
        }
    }
    if (tracker->survey->is_on && !access->store) {
        survey_read(tracker->survey, address, access->size);
    }
    return waited;
}

/* Whether the core faults instead of making the access: Arm DDI 0403E, A3.2.1; a null pointer by choice. */
static int is_refused(access_tracker *tracker, const planned_access *access, uint32_t address) {
    uint32_t why = STOP_NONE;
    if (address < access->null_end && tracker->spec->null_stops) {
        why = STOP_NULL;
    } else if (address < access->null_end) {
        note_stray(&tracker->null_reads, access->pc, address);
    }
    if (address & access->low_bits && (access->aligned || tracker->traps_unaligned)) {
        why = STOP_UNALIGNED;
    }
    if (why != STOP_NONE) {
        tracker->fault = (mcusim_stop_state){why, address, access->pc};
    }
    return why != STOP_NONE;
}

static int is_made(const planned_access *access, const uint32_t *values, uint32_t flags) {
    return holds(access->condition, flags) && (access->if_zero == NO_SOURCE || !values[access->if_zero]) &&
           (access->if_set == NO_SOURCE || values[access->if_set]);
}

static inline void execute(access_tracker *tracker, const planned_access *access, uint32_t flags) {
    uint32_t *values = tracker->values;
    uint32_t address = sum(&access->address, values);
    if (access->target) {
        values[access->target] = fetch(tracker, access, address);
    } else if (access->is_certain || is_made(access, values, flags)) {
        if ((address & access->low_bits || address < access->null_end) &&
            is_refused(tracker, access, address)) {
            return;
        }
        if (tracker->is_measured) {
            note(tracker, access->pc, address, access->size, access->store);
        }
        if (tracker->is_measured && tracker->spec->hash_accesses) {
            hash_access(tracker, access, address);
        }
        uint32_t waited = wait_cycles(tracker, access, address);
        tracker->waited += waited;
        waits_add(&tracker->waits, access->pc, waited);
    }
}

#define NOT_TRACKED UINT32_MAX

/* Find the bytes of a range among those of all tracked banks; 0 unless all or none of them are in one, and no
 * access to them is anything but reading. */
static inline int locate(const access_tracker *tracker, const read_range *range, uint32_t *first) {
    const mcusim_bank *bank = tracker->spec->banks;
    const uint32_t address = sum(&range->address, tracker->values);
    if (address & range->low_bits || address < range->null_end) {
        return 0;
    }
    *first = NOT_TRACKED;
    for (uint32_t i = 0; i < tracker->tracked_count; ++i, ++bank) {
        uint32_t offset = address - bank->start;
        if (offset < bank->size) {
            *first = bank->first + offset;
            return bank->size - offset >= range->size;
        }
        if (0 - offset < range->size) {
            return 0;
        }
    }
    return 1;
}

/* Read `count` ranges; 0 if their accesses are to be made one by one, perhaps once more. */
static int read_ranges(access_tracker *tracker, const read_range *ranges, uint32_t count) {
    uint32_t first[MAXIMUM_RANGES];
    int never_written = 0;
    for (uint32_t i = 0; i < count; ++i) {
        if (!locate(tracker, &ranges[i], &first[i])) {
            return 0;
        }
    }
    for (uint32_t i = 0; i < count && tracker->is_measured; ++i) {
        if (first[i] != NOT_TRACKED) {
            never_written |= liveness_read(&tracker->live, first[i], ranges[i].size);
        }
    }
    return !never_written;
}

static void execute_exit(access_tracker *tracker, const block_plan *plan, uint32_t flags) {
    uint32_t access = 0;
    uint32_t range = 0;
    if (plan->needs_exit) {
        copy_registers(tracker, SOURCE_EXIT);
    }
    for (uint32_t i = 0; i < plan->stretch_count && !tracker->fault.stop; ++i) {
        const access_stretch *stretch = &plan->stretches[i];
        if (!stretch->is_read || !tracker->in_ranges ||
            !read_ranges(tracker, plan->ranges + range, stretch->range_end - range)) {
            for (; access < stretch->end && !tracker->fault.stop; ++access) {
                execute(tracker, &plan->exit[access], flags);
            }
        }
        access = stretch->end;
        range = stretch->range_end;
    }
    tracker->lost += plan->dropped;
}

static uint32_t outcome_of(const access_tracker *tracker, const planned_outcome *outcome, uint32_t flags) {
    int executed = outcome->slot ? tracker->values[outcome->slot + 1] != 0 : holds(outcome->condition, flags);
    if (outcome->bits > 1) {
        return executed ? tracker->values[outcome->slot] : DIVISION_SKIPPED;
    }
    return executed ? OUTCOME_EXECUTED : OUTCOME_SKIPPED;
}

/* Append what the pending block did before `end`. */
static void append_outcomes(const access_tracker *tracker, uint32_t end, uint32_t flags, outcome_list *list) {
    const block_plan *plan = tracker->pending;
    for (uint32_t i = 0; i < plan->outcome_count && plan->outcomes[i].pc < end; ++i) {
        outcome_append(list, outcome_of(tracker, &plan->outcomes[i], flags), plan->outcomes[i].bits);
    }
}

static uint32_t flags_for(const access_tracker *tracker, const block_plan *plan) {
    return plan->needs_flags ? read_flags(tracker) : 0;
}

uint32_t access_outcomes(const access_tracker *tracker, uint32_t pc) {
    outcome_list list = tracker->outcomes;
    if (tracker->pending && tracker->pending->outcome_count) {
        append_outcomes(tracker, pc, flags_for(tracker, tracker->pending), &list);
    }
    return list.value;
}

uint32_t access_take_outcomes(access_tracker *tracker) {
    uint32_t outcomes = tracker->outcomes.value;
    tracker->outcomes = (outcome_list){0, 0};
    return outcomes;
}

static void make_slots(access_tracker *tracker, const block_plan *plan) {
    if (tracker->value_count < plan->slots) {
        tracker->values = reallocate(tracker->values, plan->slots, sizeof *tracker->values);
        tracker->value_count = plan->slots;
    }
}

static void execute_entry(access_tracker *tracker, const block_plan *plan) {
    make_slots(tracker, plan);
    if (plan->exit_count) {
        copy_registers(tracker, SOURCE_ENTRY);
    }
    for (uint32_t i = 0; i < plan->capture_count; ++i) {
        tracker->values[plan->captures[i].target] = 0;
        tracker->values[plan->captures[i].target + 1] = 0;
    }
    for (uint32_t i = 0; i < plan->entry_count; ++i) {
        execute(tracker, &plan->entry[i], 0);
    }
}

static const uint8_t *code_at(const access_tracker *tracker, uint32_t start, uint32_t size) {
    const mcusim_bank *bank = find_bank(tracker, start);
    return bank && bank->size - (start - bank->start) >= size ? bank->data + (start - bank->start) : NULL;
}

static uint32_t plan_hash(uint32_t start, uint32_t size, uint8_t it_state) {
    uint32_t hash = start * 0x9E3779B1u ^ size * 0x85EBCA6Bu ^ it_state * 0xC2B2AE35u;
    return (hash ^ hash >> 15) & (PLAN_BUCKETS - 1);
}

static int plan_matches(const block_plan *plan, uint32_t start, uint32_t size, uint8_t it_state) {
    return plan->start == start && plan->size == size && plan->it_state == it_state;
}

static block_plan *find_plan(access_tracker *tracker, uint32_t start, uint32_t size, uint8_t it_state) {
    uint32_t bucket = plan_hash(start, size, it_state);
    block_plan *plan = tracker->recent[bucket];
    if (plan && plan_matches(plan, start, size, it_state)) {
        return plan;
    }
    for (plan = tracker->plans[bucket]; plan && !plan_matches(plan, start, size, it_state);) {
        plan = plan->next;
    }
    if (!plan) {
        const uint8_t *code = code_at(tracker, start, size);
        if (!code) {
            return NULL;
        }
        plan = plan_block(tracker->spec, code, start, size, it_state, 1);
        plan->next = tracker->plans[bucket];
        tracker->plans[bucket] = plan;
    }
    tracker->recent[bucket] = plan;
    return plan;
}

int access_enter_block(access_tracker *tracker, uint32_t start, uint32_t size) {
    if (tracker->is_suspended) {
        return 1;
    }
    uint8_t it_state = tracker->it_state && tracker->it_address == start ? tracker->it_state : 0;
    block_plan *plan = find_plan(tracker, start, size, it_state);
    if (!plan) {
        return 1;
    }
    if (!plan->is_hooked) {
        tracker->to_hook = plan;
        return 0;
    }
    tracker->it_state = 0;
    execute_entry(tracker, plan);
    tracker->pending = plan;
    return 1;
}

void access_leave_block(access_tracker *tracker) {
    const block_plan *plan = tracker->pending;
    if (!plan) {
        return;
    }
    uint32_t flags = flags_for(tracker, plan);
    append_outcomes(tracker, UINT32_MAX, flags, &tracker->outcomes);
    tracker->pending = NULL;
    execute_exit(tracker, plan, flags);
    tracker->it_state = plan->it_state_next;
    tracker->it_address = plan->start + plan->size;
}

void access_pause(access_tracker *tracker, uint32_t pc) {
    const block_plan *plan = tracker->pending;
    if (!plan) {
        return;
    }
    uint32_t executed = pc - plan->start;
    if (executed >= plan->size || (pc == plan->last && !plan->last_accesses)) {
        /* It branched away, or the last instruction is one that the emulator does not do by itself. */
        access_leave_block(tracker);
        return;
    }
    uint32_t flags = flags_for(tracker, plan);
    append_outcomes(tracker, pc, flags, &tracker->outcomes);
    tracker->pending = NULL;
    const uint8_t *code = code_at(tracker, plan->start, executed);
    block_plan *part = plan_block(tracker->spec, code, plan->start, executed, plan->it_state, 0);
    make_slots(tracker, part);
    execute_exit(tracker, part, flags_for(tracker, part));
    tracker->it_state = part->it_state_next;
    tracker->it_address = pc;
    plan_free(part);
}

static uint32_t captured_value(const planned_capture *capture, const uint32_t *registers) {
    if (capture->kind != CAPTURE_ADDRESS) {
        return division_outcome(registers[capture->base], registers[capture->index],
                                capture->kind == CAPTURE_SDIV);
    }
    uint32_t index = capture->index < 0 ? 0 : registers[capture->index] << capture->shift;
    return registers[capture->base] + index + (uint32_t)capture->offset;
}

static void on_captured_instruction(void *engine, uint64_t address, uint32_t size, void *user) {
    access_tracker *tracker = user;
    const mcusim_emulator *emulator = &tracker->spec->emulator;
    uint32_t registers[16] = {0};
    (void)engine;
    (void)size;
    for (uint32_t i = 0; tracker->pending && i < tracker->pending->capture_count; ++i) {
        const planned_capture *capture = &tracker->pending->captures[i];
        if (capture->pc != (uint32_t)address) {
            continue;
        }
        for (uint32_t reg = 0; reg < CONTROL_BLOCK_REGISTERS; ++reg) {
            if (emulator->registers) {
                registers[reg] = emulator->registers[reg];
            } else {
                emulator->reg_read(emulator->engine, emulator->core_registers[reg], &registers[reg]);
            }
        }
        tracker->values[capture->target] = captured_value(capture, registers);
        tracker->values[capture->target + 1] = (uint32_t)(capture->condition == CONDITION_ALWAYS ||
                                                          holds(capture->condition, read_flags(tracker)));
    }
}

static void hook(access_tracker *tracker, uint32_t pc) {
    const mcusim_emulator *emulator = &tracker->spec->emulator;
    union {
        void (*function)(void *, uint64_t, uint32_t, void *);
        void *pointer;
    } callback = {on_captured_instruction};
    for (uint32_t i = 0; i < tracker->hook_count; ++i) {
        if (tracker->hooked[i] == pc) {
            return;
        }
    }
    size_t handle;
    if (emulator->hook_add(emulator->engine, &handle, emulator->code_hook_kind, callback.pointer, tracker,
                           (uint64_t)pc, (uint64_t)pc)) {
        return;
    }
    tracker->hooks = reallocate(tracker->hooks, tracker->hook_count + 1, sizeof *tracker->hooks);
    tracker->hooked = reallocate(tracker->hooked, tracker->hook_count + 1, sizeof *tracker->hooked);
    tracker->hooked[tracker->hook_count] = pc;
    tracker->hooks[tracker->hook_count++] = handle;
}

void access_resume(access_tracker *tracker) {
    const mcusim_emulator *emulator = &tracker->spec->emulator;
    block_plan *plan = tracker->to_hook;
    if (!plan) {
        return;
    }
    for (uint32_t i = 0; i < plan->capture_count; ++i) {
        hook(tracker, plan->captures[i].pc);
    }
    /* What was translated before has no callbacks. */
    emulator->control(emulator->engine, emulator->forget_code, (uint64_t)plan->start,
                      (uint64_t)plan->start + plan->size);
    plan->is_hooked = 1;
    tracker->to_hook = NULL;
}
