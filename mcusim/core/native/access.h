/* Every access that the firmware makes to SRAM, block by block, and what lives there. */
#ifndef MCUSIM_ACCESS_H
#define MCUSIM_ACCESS_H

#include "access_plan.h"
#include "flash.h"
#include "liveness.h"
#include "outcomes.h"
#include "survey.h"
#include "waits.h"

enum { PLAN_BUCKETS = 1 << 14, MAXIMUM_STRAYS = 64 };

/* Instructions that read what they should not, the first ones seen. */
typedef struct {
    mcusim_stray_read *rows;
    uint32_t count;
} stray_reads;

typedef struct {
    const mcusim_spec *spec; /* no banks: nothing is tracked */
    uint32_t tracked_count;
    block_plan *pending; /* of the block that is being executed */
    uint32_t *values;    /* by source: registers at entry, at exit, slots */
    uint32_t value_count;
    uint32_t it_address; /* where a block begins in the middle of an IT block, and its state there */
    uint8_t it_state;
    uint8_t is_suspended; /* nothing is followed */
    uint8_t is_measured;  /* what is followed is measured */
    uint8_t reads_flash;  /* what reading flash takes is counted */
    block_plan *to_hook;
    block_plan *recent[PLAN_BUCKETS];
    block_plan *plans[PLAN_BUCKETS];
    size_t *hooks;
    uint32_t *hooked; /* addresses that have a callback, as many as hooks */
    uint32_t hook_count;
    outcome_list outcomes; /* of the run so far, without the pending block */
    uint64_t lost;         /* accesses whose address could not be told */
    uint64_t stream_hash;
    stray_reads unwritten;
    stray_reads null_reads;
    uint8_t traps_unaligned;
    mcusim_stop_state fault; /* of an access that the core does not make */
    flash_unit *flash;
    flash_survey *survey;
    uint32_t waited; /* cycles that accesses took beyond those of their runs, not yet charged */
    wait_table waits;
    liveness live;
} access_tracker;

void access_init(access_tracker *tracker, const mcusim_spec *spec, flash_unit *flash, flash_survey *survey);
void access_free(access_tracker *tracker);
/* Nothing was ever written. */
void access_begin(access_tracker *tracker, int measure);

/* `cycles`, at least those at which the map's column ends, have gone by. */
void access_advance(access_tracker *tracker, uint64_t cycles);

/* Addresses [start, end) in one bank of SRAM are the heap, and so is what was before. */
void access_set_heap(access_tracker *tracker, uint32_t start, uint32_t end);

/* A block is about to be executed; 0 if emulation must stop before it and access_resume be called. */
int access_enter_block(access_tracker *tracker, uint32_t start, uint32_t size);

/* The pending block, if there is one, was executed to its end. */
void access_leave_block(access_tracker *tracker);

/* Emulation rests at `pc`: account for what was executed of the pending block. */
void access_pause(access_tracker *tracker, uint32_t pc);

/* The outcomes of the run up to `pc`, which is in the pending block or behind it. */
uint32_t access_outcomes(const access_tracker *tracker, uint32_t pc);

/* Those of a run that is over. */
uint32_t access_take_outcomes(access_tracker *tracker);

/* Install the callbacks that the next block needs. */
void access_resume(access_tracker *tracker);

/* End of the highest byte written of `size` bytes of SRAM at `address`, relative to that. */
uint32_t access_high_water(const access_tracker *tracker, uint32_t address, uint32_t size);

/* The bank that an address is in, NULL for none. */
const mcusim_bank *access_bank(const access_tracker *tracker, uint32_t address);

/* An access that no instruction makes: exception frames, input, segments loaded to SRAM. */
void access_note(access_tracker *tracker, uint32_t pc, uint32_t address, uint32_t size, int store);

#endif
