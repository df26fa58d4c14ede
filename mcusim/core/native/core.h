/* The core itself: what runs, what it has cost, and where it was. */
#ifndef MCUSIM_CORE_STATE_H
#define MCUSIM_CORE_STATE_H

#include "calls.h"
#include "runs.h"

enum { FILTER_SIZE = 4096 };

struct mcusim_core {
    /* The pending run; `block` is the start of its last known block. */
    uint32_t start;
    uint32_t block;
    uint32_t end;
    uint64_t cycles;
    uint64_t instructions;
    uint64_t cycle_limit;
    uint64_t deadline;
    uint64_t next_limit; /* the earlier of the two */
    mcusim_spec spec;
    size_t hook;
    uint32_t sp;
    mcusim_stop_state stop;
    uint8_t may_be_entry[FILTER_SIZE]; /* by hash of the address: a function may start there */
    flash_unit flash;
    flash_survey survey;
    access_tracker memory;
    call_state calls;
    run_store runs;
};

static inline moment core_present(const mcusim_core *core) {
    return (moment){core->cycles, core->instructions, core->sp};
}

/* Let the map of SRAM know of the time, if that matters to it. */
static inline void core_advance(mcusim_core *core) {
    if (core->cycles >= core->memory.live.map.until) {
        access_advance(&core->memory, core->cycles);
    }
}

#endif
