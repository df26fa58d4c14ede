#include "core.h"

#include "allocate.h"

enum { CONTROL_SPSEL = 2, STATUS_EXCEPTION = 0x1FF };

static uint32_t filter_slot(uint32_t address) {
    return address >> 1 & (FILTER_SIZE - 1);
}

/* The first reason counts, except that what ends the simulation takes precedence over a watch. */
static void stop(mcusim_core *core, mcusim_stop why, uint32_t address, uint32_t instruction) {
    if (core->stop.stop >= STOP_CYCLES) {
        return;
    }
    core->stop = (mcusim_stop_state){why, address, instruction};
    core->spec.emulator.emu_stop(core->spec.emulator.engine);
}

static void read_stack_pointer(mcusim_core *core) {
    const mcusim_emulator *emulator = &core->spec.emulator;
    uint64_t value = 0;
    if (emulator->reg_read(emulator->engine, emulator->stack_pointer_register, &value) == 0) {
        core->sp = (uint32_t)value;
    }
}

static void note_stack(mcusim_core *core, uint32_t lowest, const run_edge *edge, uint32_t sp_before) {
    call_stack *stack = core->calls.stack;
    if (lowest < stack->lowest) {
        stack->lowest = lowest;
    }
    if (lowest < stack->deepest) {
        stack->deepest = lowest;
        stack->deepest_node = core->calls.current;
        if (lowest < stack->limit) {
            stop(core, STOP_STACK, lowest, run_stack_culprit(&core->runs, edge, sp_before, stack->limit));
        }
    }
}

static uint32_t read_status(const mcusim_core *core) {
    const mcusim_emulator *emulator = &core->spec.emulator;
    uint64_t status = 0;
    emulator->reg_read(emulator->engine, emulator->status_register, &status);
    return (uint32_t)status;
}

/* PSP is in use: CONTROL.SPSEL, outside of exceptions (Arm DDI 0403E, B1.4.1). */
static uint8_t uses_process_stack(const mcusim_core *core) {
    const mcusim_emulator *emulator = &core->spec.emulator;
    uint64_t control = 0;
    emulator->reg_read(emulator->engine, emulator->control_register, &control);
    return control & CONTROL_SPSEL && !(read_status(core) & STATUS_EXCEPTION);
}

static void commit_stack(mcusim_core *core, const run_edge *edge) {
    uint32_t before = core->sp;
    note_stack(core, before + (uint32_t)edge->code.lowest, edge, before);
    if (!edge->code.dynamic_sp) {
        core->sp = before + (uint32_t)edge->code.sp_delta;
        return;
    }
    read_stack_pointer(core);
    const stack_change change = {
        .from = before + (uint32_t)edge->code.sp_before,
        .to = core->sp - (uint32_t)edge->code.sp_delta,
        .is_process = edge->code.names_sp ? uses_process_stack(core) : core->calls.stack->is_process,
        .is_named = edge->code.names_sp,
    };
    calls_change_stack(&core->calls, &change, core_present(core));
    note_stack(core, core->sp + (uint32_t)edge->code.lowest_back, edge, before);
}

static void enter(mcusim_core *core, const run_edge *edge) {
    calls_enter(&core->calls, edge->key.next, edge->function, edge->key.end, core_present(core));
    if (edge->function >= 0 && core->spec.functions[edge->function].watch & WATCH_STOP) {
        stop(core, STOP_ENTERED, edge->key.next, 0);
    }
}

static void tail_call(mcusim_core *core, const run_edge *edge) {
    calls_tail(&core->calls, edge->key.next, edge->function, core_present(core));
    if (core->spec.functions[edge->function].watch & WATCH_STOP) {
        stop(core, STOP_ENTERED, edge->key.next, 0);
    }
}

static void branch_indirectly(mcusim_core *core, const run_edge *edge) {
    uint32_t stopped = 0;
    int returned = calls_return(&core->calls, edge->key.next, core_present(core), &stopped);
    if (returned) {
        calls_keep_frames(&core->calls);
    } else if (edge->function >= 0) {
        if (core->calls.stack->is_fresh) {
            calls_drop_frames(&core->calls);
        }
        tail_call(core, edge);
    } else {
        calls_unwind(&core->calls, edge->key.next, core_present(core), &stopped);
    }
    if (stopped) {
        stop(core, STOP_RETURNED, stopped, 0);
    }
}

static void attend(mcusim_core *core, const run_edge *edge) {
    if (edge->code.writes_sp) {
        commit_stack(core, edge);
    }
    if (edge->flow == FLOW_CALL) {
        enter(core, edge);
    } else if (edge->flow == FLOW_INDIRECT) {
        branch_indirectly(core, edge);
    } else if (edge->flow == FLOW_TAIL) {
        tail_call(core, edge);
    }
    if (edge->code.undecoded) {
        stop(core, STOP_UNDECODED, edge->code.undecoded, edge->code.undecoded);
    }
}

/* Cycles beyond those of the run: waiting for its code, and what its accesses took. */
static uint32_t wait_cycles(mcusim_core *core, const run_edge *edge) {
    uint32_t waited = core->memory.waited;
    core->memory.waited = 0;
    if (core->spec.flash.wait_states) {
        uint32_t fetched = flash_fetch(&core->flash, edge->key.start, edge->key.end, edge->code.cycles);
        waits_add(&core->memory.waits, edge->key.start, fetched);
        waited += fetched;
    }
    if (core->survey.is_on && edge->key.node >= 0) {
        survey_commit(&core->survey, (uint32_t)edge->key.node, edge->key.start, edge->key.end,
                      edge->code.cycles);
    }
    return waited;
}

/* A watch comes before a deadline, which is then reached again at the next run. */
static void reach_limit(mcusim_core *core) {
    if (core->cycles >= core->cycle_limit) {
        stop(core, STOP_CYCLES, 0, 0);
    } else if (core->stop.stop == STOP_NONE) {
        stop(core, STOP_DEADLINE, 0, 0);
    }
}

static void commit(mcusim_core *core, uint32_t end, uint32_t next) {
    const run_key key = {core->start, end, next, core->calls.current, access_take_outcomes(&core->memory)};
    run_edge *edge = runs_find(&core->runs, &key);
    ++edge->count;
    core->cycles += edge->code.cycles + wait_cycles(core, edge);
    core->instructions += edge->code.instructions;
    if (edge->attention) {
        attend(core, edge);
    }
    if (core->cycles >= core->next_limit) {
        reach_limit(core);
    }
}

/* A block that starts where the last one ended belongs to its run, unless an unconditional branch to a
 * function that happens to be next was taken. */
static int goes_on(mcusim_core *core, uint32_t address) {
    if (address != core->end) {
        return 0;
    }
    if (core->start == core->end || !core->may_be_entry[filter_slot(address)]) {
        return 1;
    }
    int32_t function = function_at(&core->spec, address);
    return function < 0 || core->spec.functions[function].start != address ||
           !run_ends_line(&core->runs, core->start, core->end);
}

/* An access of the block that is over was not made: nothing behind it counts. */
static void refuse(mcusim_core *core) {
    const mcusim_stop_state fault = core->memory.fault;
    stop(core, fault.stop, fault.address, fault.instruction);
}

static void on_block(void *engine, uint64_t address, uint32_t size, void *user) {
    mcusim_core *core = user;
    uint32_t block = (uint32_t)address;
    (void)engine;
    access_leave_block(&core->memory);
    if (core->memory.fault.stop) {
        refuse(core);
        return;
    }
    if (!goes_on(core, block)) {
        if (core->start != core->end) {
            commit(core, core->end, block);
        }
        core->start = core->end = block;
        if (core->stop.stop) {
            core->block = block;
            return;
        }
    }
    core->block = block;
    if (core->cycles >= core->next_limit) {
        reach_limit(core);
        return;
    }
    core_advance(core);
    if (!access_enter_block(&core->memory, block, size)) {
        stop(core, STOP_AGAIN, block, 0);
        return;
    }
    core->end += size;
}

uint32_t mcusim_core_abi(void) {
    return MCUSIM_CORE_ABI;
}

mcusim_core *mcusim_core_new(const mcusim_spec *spec) {
    union {
        void (*function)(void *, uint64_t, uint32_t, void *);
        void *pointer;
    } callback = {on_block};
    mcusim_core *core = allocate_zeroed(1, sizeof *core);
    core->spec = *spec;
    core->cycle_limit = spec->cycle_limit ? spec->cycle_limit : UINT64_MAX;
    mcusim_core_set_deadline(core, UINT64_MAX);
    for (uint32_t i = 0; i < spec->function_count; ++i) {
        core->may_be_entry[filter_slot(spec->functions[i].start)] = 1;
    }
    flash_init(&core->flash, &core->spec.flash);
    survey_init(&core->survey, &core->spec);
    access_init(&core->memory, &core->spec, &core->flash, &core->survey);
    calls_init(&core->calls, &core->spec, &core->memory);
    runs_init(&core->runs, &core->spec);
    const mcusim_emulator *emulator = &core->spec.emulator;
    /* begin > end: every address */
    if (emulator->hook_add(emulator->engine, &core->hook, emulator->block_hook_kind, callback.pointer, core,
                           1, 0)) {
        core->hook = 0;
        mcusim_core_free(core);
        return NULL;
    }
    return core;
}

void mcusim_core_free(mcusim_core *core) {
    if (core->hook) {
        core->spec.emulator.hook_del(core->spec.emulator.engine, core->hook);
    }
    runs_free(&core->runs);
    calls_free(&core->calls);
    access_free(&core->memory);
    survey_free(&core->survey);
    flash_free(&core->flash);
    free(core);
}

void mcusim_core_begin(mcusim_core *core, uint32_t address, uint32_t stack_pointer, uint32_t return_address,
                       int32_t measure) {
    int32_t function = function_at(&core->spec, address);
    uint32_t entry = function >= 0 ? core->spec.functions[function].start : address;
    core->start = core->block = core->end = address;
    core->cycles = core->instructions = 0;
    core->sp = stack_pointer;
    core->stop = (mcusim_stop_state){STOP_NONE, 0, 0};
    runs_reset_counts(&core->runs);
    flash_begin(&core->flash);
    survey_begin(&core->survey, measure);
    access_begin(&core->memory, measure);
    calls_reset(&core->calls, stack_pointer);
    calls_enter(&core->calls, entry, function, return_address, core_present(core));
    core->calls.stack->lowest = stack_pointer;
    core->calls.stack->frames[0].stops |= return_address != 0;
    core->calls.stack->deepest_node = core->calls.current;
}

void mcusim_core_resume(mcusim_core *core) {
    core->stop = (mcusim_stop_state){STOP_NONE, 0, 0};
    access_resume(&core->memory);
    if (core->start == core->end) {
        read_stack_pointer(core);
    }
}

void mcusim_core_pause(mcusim_core *core, uint32_t pc) {
    access_pause(&core->memory, pc);
    if (core->memory.fault.stop) {
        refuse(core);
    }
}

void mcusim_core_note(mcusim_core *core, uint32_t pc, uint32_t address, uint32_t size, int32_t store) {
    core_advance(core);
    access_note(&core->memory, pc, address, size, store);
}

void mcusim_core_set_heap(mcusim_core *core, uint32_t start, uint32_t end) {
    access_set_heap(&core->memory, start, end);
}

void mcusim_core_set_deadline(mcusim_core *core, uint64_t cycles) {
    core->deadline = cycles;
    core->next_limit = cycles < core->cycle_limit ? cycles : core->cycle_limit;
}

void mcusim_core_set_stack_limit(mcusim_core *core, uint32_t limit) {
    core->calls.stacks[0].limit = limit;
}

void mcusim_core_trap_unaligned(mcusim_core *core, int32_t traps) {
    core->memory.traps_unaligned = traps != 0;
}

void mcusim_core_finish(mcusim_core *core, uint32_t end) {
    if (end < core->start || end > core->end) {
        end = core->end;
    }
    if (end > core->start) {
        commit(core, end, 0);
    }
    core->start = core->block = core->end = end;
}

/* The machine has stored registers on a stack, down to `lowest`. */
static void note_frame(mcusim_core *core, call_stack *stack, uint32_t lowest) {
    if (lowest >= stack->deepest) {
        return;
    }
    stack->deepest = lowest;
    stack->deepest_node = stack->depth ? stack->frames[stack->depth - 1].node : -1;
    if (lowest < stack->limit) {
        core->memory.fault = (mcusim_stop_state){STOP_STACK, lowest, core->end};
    }
}

/* The machine has moved the stack pointer. An exception leaves its frame on the stack of what it interrupts.
 */
static void change_stack(mcusim_core *core) {
    const mcusim_emulator *emulator = &core->spec.emulator;
    call_stack *before = core->calls.stack;
    stack_change change = {.from = core->sp};
    uint64_t process_pointer = 0;
    read_stack_pointer(core);
    change.to = core->sp;
    change.is_process = uses_process_stack(core);
    calls_change_stack(&core->calls, &change, core_present(core));
    if (core->calls.stack == before) {
        note_frame(core, before, core->sp);
    } else if (before->is_process) {
        emulator->reg_read(emulator->engine, emulator->process_stack_register, &process_pointer);
        note_frame(core, before, (uint32_t)process_pointer);
    }
}

/* Leave what a jump leaves; 0 if that is nothing. A handler that follows another with nothing in between goes
 * back to where that one would have: `from` becomes that. */
static int jump_away(mcusim_core *core, uint32_t address, int is_entry, uint32_t *from, uint32_t *stopped) {
    if (calls_return(&core->calls, address, core_present(core), stopped)) {
        return 1;
    }
    if (!is_entry || !(read_status(core) & STATUS_EXCEPTION)) {
        return calls_leave_exception(&core->calls, core_present(core), stopped);
    }
    const call_frame *exception = calls_exception(&core->calls);
    uint32_t stack_pointer = core->sp;
    read_stack_pointer(core);
    if (exception && exception->entry.sp == core->sp && stack_pointer == core->sp) {
        *from = exception->return_address;
        calls_leave_exception(&core->calls, core_present(core), stopped);
    }
    core->sp = stack_pointer;
    return 0;
}

void mcusim_core_jump(mcusim_core *core, uint32_t address, uint64_t cycles) {
    uint32_t from = core->end;
    uint32_t stopped = 0;
    int32_t function = function_at(&core->spec, address);
    int is_entry = function >= 0 && core->spec.functions[function].start == address;
    if (core->start != core->end) {
        commit(core, core->end, 0);
    }
    core->cycles += cycles;
    int is_over = jump_away(core, address, is_entry, &from, &stopped);
    change_stack(core);
    if (is_over && is_entry && core->calls.stack->is_fresh) {
        calls_drop_frames(&core->calls); /* a thread begins on a stack of its own */
        calls_tail(&core->calls, address, function, core_present(core));
    } else if (!is_over && is_entry) {
        calls_enter(&core->calls, address, function, from, core_present(core));
        core->calls.stack->frames[core->calls.stack->depth - 1].is_exception = 1;
    } else if (!is_over) {
        calls_unwind(&core->calls, address, core_present(core), &stopped);
    }
    calls_keep_frames(&core->calls);
    if (stopped) {
        stop(core, STOP_RETURNED, stopped, 0);
    }
    core->start = core->block = core->end = address;
}

uint64_t mcusim_core_cycles(mcusim_core *core) {
    if (core->block == core->start) {
        return core->cycles;
    }
    const run_key key = {core->start, core->block, 0, core->calls.current,
                         access_outcomes(&core->memory, core->block)};
    return core->cycles + runs_find(&core->runs, &key)->code.cycles;
}

uint64_t mcusim_core_cycles_at(mcusim_core *core, uint32_t address) {
    return core->cycles + runs_cycles_at(&core->runs, core->start, core->end, address,
                                         access_outcomes(&core->memory, address));
}

void mcusim_core_block(const mcusim_core *core, uint32_t *start, uint32_t *end) {
    *start = core->block;
    *end = core->end;
}

void mcusim_core_stop_state(const mcusim_core *core, mcusim_stop_state *state) {
    *state = core->stop;
}
