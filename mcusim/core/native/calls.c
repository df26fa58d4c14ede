#include "calls.h"

#include <string.h>

#include "allocate.h"

/* Index of the area with a stack pointer in it, which is one past what is used; -1 for none. */
static int32_t area_at(const mcusim_spec *spec, uint32_t stack_pointer) {
    uint32_t low = 0;
    uint32_t high = spec->area_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (spec->areas[middle].start < stack_pointer) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > 0 && stack_pointer <= spec->areas[low - 1].end ? (int32_t)low - 1 : -1;
}

void calls_init(call_state *calls, const mcusim_spec *spec, access_tracker *memory) {
    memset(calls, 0, sizeof *calls);
    calls->spec = spec;
    calls->memory = memory;
    calls->layer_of = allocate_zeroed(spec->function_count, sizeof *calls->layer_of);
    for (uint32_t i = 0; i < spec->function_count; ++i) {
        int is_layer = spec->functions[i].watch & WATCH_LAYER;
        calls->layer_of[i] = is_layer ? (int32_t)calls->layer_count++ : -1;
    }
    calls->layers = allocate_zeroed(calls->layer_count, sizeof *calls->layers);
    for (uint32_t i = 0; i < spec->function_count; ++i) {
        if (calls->layer_of[i] >= 0) {
            layer_record *layer = &calls->layers[calls->layer_of[i]];
            layer->function = spec->functions[i].start;
            byte_set_init(&layer->touched, spec->tracked_bytes);
        }
    }
    calls_reset(calls, 0);
}

void calls_free(call_state *calls) {
    for (uint32_t i = 0; i < calls->layer_count; ++i) {
        free(calls->layers[i].touched.bits);
    }
    free(calls->layers);
    free(calls->layer_of);
    for (uint32_t i = 0; i < MAXIMUM_STACKS; ++i) {
        free(calls->stacks[i].frames);
    }
    free(calls->nodes);
}

/* Forget what a stack was, but not its memory. */
static call_stack *clear_stack(call_stack *stack, uint32_t stack_pointer) {
    *stack = (call_stack){.frames = stack->frames,
                          .capacity = stack->capacity,
                          .top = stack_pointer,
                          .deepest = stack_pointer,
                          .deepest_node = -1,
                          .lowest = stack_pointer,
                          .area = -1};
    return stack;
}

void calls_reset(call_state *calls, uint32_t stack_pointer) {
    calls->stack = clear_stack(&calls->stacks[0], stack_pointer);
    calls->stack->limit = stack_pointer < calls->spec->stack_limit ? 0 : calls->spec->stack_limit;
    calls->stack->area = area_at(calls->spec, stack_pointer);
    calls->stack_count = 1;
    calls->node_count = 0;
    calls->first_root = calls->current = -1;
    calls->since = (moment){0, 0, 0};
    for (uint32_t i = 0; i < calls->layer_count; ++i) {
        layer_record *layer = &calls->layers[i];
        byte_set touched = layer->touched;
        byte_set_clear(&touched, calls->spec->tracked_bytes);
        *layer = (layer_record){.function = layer->function, .touched = touched};
    }
}

static int32_t child_node(call_state *calls, int32_t parent, uint32_t function) {
    int32_t node = parent < 0 ? calls->first_root : calls->nodes[parent].first_child;
    while (node >= 0 && calls->nodes[node].function != function) {
        node = calls->nodes[node].sibling;
    }
    if (node >= 0) {
        return node;
    }
    if (calls->node_count == calls->node_capacity) {
        calls->node_capacity = calls->node_capacity ? 2 * calls->node_capacity : 64;
        calls->nodes = reallocate(calls->nodes, calls->node_capacity, sizeof *calls->nodes);
    }
    node = (int32_t)calls->node_count++;
    int32_t *head = parent < 0 ? &calls->first_root : &calls->nodes[parent].first_child;
    calls->nodes[node] =
        (call_node){.function = function, .parent = parent, .first_child = -1, .sibling = *head};
    *head = node;
    return node;
}

void calls_settle(call_state *calls, moment now) {
    if (calls->current >= 0) {
        calls->nodes[calls->current].cycles += now.cycles - calls->since.cycles;
        calls->nodes[calls->current].instructions += now.instructions - calls->since.instructions;
    }
    calls->since = now;
}

static void set_current(call_state *calls, int32_t node, moment now) {
    calls_settle(calls, now);
    calls->current = node;
}

void calls_credit_memory(call_state *calls) {
    const liveness *live = &calls->memory->live;
    for (uint32_t i = 0; i < live->open_count; ++i) {
        liveness_touch(live, i, &calls->layers[live->opened[i].layer].touched);
    }
}

static void open_layer(call_state *calls, call_frame *frame) {
    if (frame->layer < 0) {
        return;
    }
    if (!calls->memory->is_suspended) {
        liveness_open(&calls->memory->live, frame->layer);
    }
    frame->outer_lowest = calls->stack->lowest;
    calls->stack->lowest = frame->entry.sp;
}

static void close_layer(call_state *calls, const call_frame *frame, moment now) {
    if (frame->layer < 0) {
        return;
    }
    layer_record *layer = &calls->layers[frame->layer];
    if (!calls->memory->is_suspended) {
        liveness_close(&calls->memory->live, frame->layer, &layer->touched);
    }
    ++layer->calls;
    layer->cycles += now.cycles - frame->entry.cycles;
    layer->instructions += now.instructions - frame->entry.instructions;
    call_stack *stack = calls->stack;
    if (layer->stack_bytes < frame->entry.sp - stack->lowest) {
        layer->stack_bytes = frame->entry.sp - stack->lowest;
    }
    if (frame->outer_lowest < stack->lowest) {
        stack->lowest = frame->outer_lowest;
    }
}

static void make_room(call_stack *stack, uint32_t depth) {
    while (stack->capacity < depth) {
        stack->capacity = stack->capacity ? 2 * stack->capacity : 64;
        stack->frames = reallocate(stack->frames, stack->capacity, sizeof *stack->frames);
    }
}

static void push(call_state *calls, call_frame frame, int32_t function) {
    call_stack *stack = calls->stack;
    if (stack->depth == MAXIMUM_DEPTH) {
        return;
    }
    make_room(stack, stack->depth + 1);
    frame.stops = function >= 0 && calls->spec->functions[function].watch & WATCH_STOP;
    frame.layer = function >= 0 ? calls->layer_of[function] : -1;
    open_layer(calls, &frame);
    stack->frames[stack->depth++] = frame;
    ++calls->nodes[frame.node].calls;
    set_current(calls, frame.node, frame.entry);
}

void calls_enter(call_state *calls, uint32_t address, int32_t function, uint32_t return_address, moment now) {
    calls_keep_frames(calls);
    int32_t parent = calls->stack->depth ? calls->stack->frames[calls->stack->depth - 1].node : -1;
    if (calls->stack->depth < MAXIMUM_DEPTH) {
        int32_t node = child_node(calls, parent, address);
        push(calls,
             (call_frame){.return_address = return_address, .node = node, .function = address, .entry = now},
             function);
    }
}

void calls_tail(call_state *calls, uint32_t address, int32_t function, moment now) {
    call_frame frame = {.function = address, .entry = now};
    int32_t parent = -1;
    if (calls->stack->depth) {
        const call_frame *top = &calls->stack->frames[calls->stack->depth - 1];
        int watched = top->stops || top->layer >= 0;
        frame.return_address = top->return_address;
        frame.is_tail = watched ? 1 : top->is_tail;
        frame.is_exception = !watched && top->is_exception;
        parent = watched ? top->node : calls->nodes[top->node].parent;
        calls->stack->depth -= !watched;
    }
    if (calls->stack->depth < MAXIMUM_DEPTH) {
        frame.node = child_node(calls, parent, address);
        push(calls, frame, function);
    }
}

/* Leave the innermost function with the tail-calling ones below it. */
static void leave(call_state *calls, moment now, uint32_t *stopped) {
    int is_tail = 1;
    while (is_tail && calls->stack->depth) {
        const call_frame *frame = &calls->stack->frames[--calls->stack->depth];
        close_layer(calls, frame, now);
        if (frame->stops) {
            *stopped = frame->function;
        }
        is_tail = frame->is_tail;
    }
    if (calls->stack->depth) {
        set_current(calls, calls->stack->frames[calls->stack->depth - 1].node, now);
    }
}

int calls_return(call_state *calls, uint32_t address, moment now, uint32_t *stopped) {
    if (!calls->stack->depth || calls->stack->frames[calls->stack->depth - 1].return_address != address) {
        return 0;
    }
    leave(calls, now, stopped);
    return 1;
}

int calls_unwind(call_state *calls, uint32_t address, moment now, uint32_t *stopped) {
    uint32_t depth = calls->stack->depth;
    while (depth && calls->stack->frames[depth - 1].return_address != address) {
        --depth;
    }
    if (!depth) {
        return 0;
    }
    while (calls->stack->depth >= depth) {
        leave(calls, now, stopped);
    }
    return 1;
}

void calls_keep_frames(call_state *calls) {
    calls->stack->is_fresh = 0;
}

void calls_drop_frames(call_state *calls) {
    calls->stack->is_fresh = 0;
    calls->stack->depth = 0;
}

const call_frame *calls_exception(const call_state *calls) {
    uint32_t depth = calls->stack->depth;
    while (depth && !calls->stack->frames[depth - 1].is_exception) {
        --depth;
    }
    return depth ? &calls->stack->frames[depth - 1] : NULL;
}

int calls_leave_exception(call_state *calls, moment now, uint32_t *stopped) {
    const call_frame *exception = calls_exception(calls);
    while (exception && calls->stack->frames + calls->stack->depth > exception) {
        leave(calls, now, stopped);
    }
    return exception != NULL;
}

/* A stack pointer so near below the end of an area of memory is the start of a stack there: room for what a
 * context switch keeps, 18 words of the core and 32 of the floating-point unit. */
enum { FIRST_FRAME = 4 * (18 + 32) };

static int is_start(const call_state *calls, int32_t area, uint32_t stack_pointer) {
    return area >= 0 && calls->spec->areas[area].end - stack_pointer <= FIRST_FRAME;
}

/* Whether the present stack goes on: not where MSR names another place for a thread, nor where execution goes
 * to the top of another area. A stack that leaves its area downwards has run over. */
static int goes_on(const call_state *calls, const stack_change *change) {
    const call_stack *stack = calls->stack;
    int32_t area = area_at(calls->spec, change->to);
    if (change->is_process != stack->is_process) {
        return 0;
    }
    if (change->to == change->from) {
        return 1;
    }
    if (area == stack->area) {
        return !(change->is_named && change->is_process);
    }
    return !is_start(calls, area, change->to) && change->to < stack->top;
}

static call_stack *suspended(call_state *calls, const stack_change *change) {
    for (uint32_t i = 0; i < calls->stack_count; ++i) {
        call_stack *stack = &calls->stacks[i];
        if (stack != calls->stack && stack->is_process == change->is_process &&
            stack->left_at == change->to) {
            return stack;
        }
    }
    return NULL;
}

/* A new stack, with a copy of the frames: whether execution goes on in them is seen at the next branch. */
static call_stack *new_stack(call_state *calls, const stack_change *change) {
    const call_stack *before = calls->stack;
    if (calls->stack_count == MAXIMUM_STACKS) {
        return calls->stack;
    }
    call_stack *stack = clear_stack(&calls->stacks[calls->stack_count++], change->to);
    stack->is_process = change->is_process;
    stack->deepest_node = calls->current;
    stack->area = area_at(calls->spec, change->to);
    if (stack->area >= 0) {
        const mcusim_area *area = &calls->spec->areas[stack->area];
        stack->limit = area->start;
        stack->top = is_start(calls, stack->area, change->to) ? area->end : change->to;
    }
    make_room(stack, before->depth);
    for (uint32_t i = 0; i < before->depth; ++i) {
        stack->frames[i] = before->frames[i];
        stack->frames[i].layer = -1;
        stack->frames[i].stops = 0;
    }
    stack->depth = before->depth;
    stack->is_fresh = 1;
    return stack;
}

void calls_change_stack(call_state *calls, const stack_change *change, moment now) {
    call_stack *before = calls->stack;
    if (goes_on(calls, change)) {
        return;
    }
    call_stack *stack = suspended(calls, change);
    before->left_at = change->from;
    calls->stack = stack ? stack : new_stack(calls, change);
    if (calls->stack->depth && calls->stack != before) {
        set_current(calls, calls->stack->frames[calls->stack->depth - 1].node, now);
    }
}
