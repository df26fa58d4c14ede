#include "access.h"

#include <string.h>

#include "allocate.h"
#include "perform.h"
#include "registers.h"

const mcusim_bank *access_bank(const access_tracker *tracker, uint32_t address) {
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
        const mcusim_bank *bank = access_bank(tracker, spec->sram[i].start);
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
    tracker->reads_flash = tracker->spec->flash.wait_states || tracker->survey->is_on;
    liveness_begin(&tracker->live);
    if (tracker->is_suspended) {
        tracker->live.map.until = UINT64_MAX;
    }
}

void access_advance(access_tracker *tracker, uint64_t cycles) {
    liveness_advance(&tracker->live, cycles);
}

void access_set_heap(access_tracker *tracker, uint32_t start, uint32_t end) {
    const mcusim_bank *bank = access_bank(tracker, start);
    if (bank && bank->is_tracked && end > start && end - bank->start <= bank->size) {
        liveness_set_heap(&tracker->live, bank->first + (start - bank->start),
                          bank->first + (end - bank->start));
    }
}

uint32_t access_high_water(const access_tracker *tracker, uint32_t address, uint32_t size) {
    const mcusim_bank *bank = access_bank(tracker, address);
    return bank && bank->is_tracked
               ? liveness_high_water(&tracker->live, bank->first + (address - bank->start), size)
               : 0;
}

static uint32_t outcome_of(const access_tracker *tracker, const planned_outcome *outcome, uint32_t flags) {
    int executed =
        outcome->slot ? tracker->values[outcome->slot + 1] != 0 : condition_holds(outcome->condition, flags);
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
    return plan->needs_flags ? registers_flags(&tracker->spec->emulator) : 0;
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

static const uint8_t *code_at(const access_tracker *tracker, uint32_t start, uint32_t size) {
    const mcusim_bank *bank = access_bank(tracker, start);
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
    perform_entry(tracker, plan);
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
    perform_exit(tracker, plan, flags);
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
    perform_make_slots(tracker, part);
    perform_exit(tracker, part, flags_for(tracker, part));
    tracker->it_state = part->it_state_next;
    tracker->it_address = pc;
    plan_free(part);
}
