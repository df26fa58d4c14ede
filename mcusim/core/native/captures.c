/* Instruction callbacks where a plan does not tell an address or an outcome. */
#include "access.h"
#include "allocate.h"
#include "registers.h"

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
        registers_copy(emulator, registers);
        tracker->values[capture->target] = captured_value(capture, registers);
        tracker->values[capture->target + 1] =
            (uint32_t)(capture->condition == CONDITION_ALWAYS ||
                       condition_holds(capture->condition, registers_flags(emulator)));
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
