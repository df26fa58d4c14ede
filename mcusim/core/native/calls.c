#include "calls.h"

#include <string.h>

#include "allocate.h"

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
    calls_reset(calls);
}

void calls_free(call_state *calls) {
    for (uint32_t i = 0; i < calls->layer_count; ++i) {
        free(calls->layers[i].touched.bits);
    }
    free(calls->layers);
    free(calls->layer_of);
    free(calls->frames);
    free(calls->nodes);
}

void calls_reset(call_state *calls) {
    calls->depth = 0;
    calls->node_count = 0;
    calls->first_root = calls->current = -1;
    calls->since = (moment){0, 0, 0};
    calls->lowest = UINT32_MAX;
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
    uint32_t open = 0;
    for (uint32_t i = 0; i < calls->depth && !calls->memory->is_suspended; ++i) {
        int32_t layer = calls->frames[i].layer;
        if (layer >= 0) {
            liveness_touch(&calls->memory->live, open++, &calls->layers[layer].touched);
        }
    }
}

static void open_layer(call_state *calls, call_frame *frame) {
    if (frame->layer < 0) {
        return;
    }
    if (!calls->memory->is_suspended) {
        liveness_open(&calls->memory->live, frame->layer);
    }
    frame->outer_lowest = calls->lowest;
    calls->lowest = frame->entry.sp;
}

static void close_layer(call_state *calls, const call_frame *frame, moment now) {
    if (frame->layer < 0) {
        return;
    }
    layer_record *layer = &calls->layers[frame->layer];
    if (!calls->memory->is_suspended) {
        liveness_close(&calls->memory->live, &layer->touched);
    }
    ++layer->calls;
    layer->cycles += now.cycles - frame->entry.cycles;
    layer->instructions += now.instructions - frame->entry.instructions;
    if (layer->stack_bytes < frame->entry.sp - calls->lowest) {
        layer->stack_bytes = frame->entry.sp - calls->lowest;
    }
    if (frame->outer_lowest < calls->lowest) {
        calls->lowest = frame->outer_lowest;
    }
}

static void push(call_state *calls, call_frame frame, int32_t function) {
    if (calls->depth == MAXIMUM_DEPTH) {
        return;
    }
    if (calls->depth == calls->frame_capacity) {
        calls->frame_capacity = calls->frame_capacity ? 2 * calls->frame_capacity : 64;
        calls->frames = reallocate(calls->frames, calls->frame_capacity, sizeof *calls->frames);
    }
    frame.stops = function >= 0 && calls->spec->functions[function].watch & WATCH_STOP;
    frame.layer = function >= 0 ? calls->layer_of[function] : -1;
    open_layer(calls, &frame);
    calls->frames[calls->depth++] = frame;
    ++calls->nodes[frame.node].calls;
    set_current(calls, frame.node, frame.entry);
}

void calls_enter(call_state *calls, uint32_t address, int32_t function, uint32_t return_address, moment now) {
    int32_t parent = calls->depth ? calls->frames[calls->depth - 1].node : -1;
    if (calls->depth < MAXIMUM_DEPTH) {
        int32_t node = child_node(calls, parent, address);
        push(calls,
             (call_frame){.return_address = return_address, .node = node, .function = address, .entry = now},
             function);
    }
}

void calls_tail(call_state *calls, uint32_t address, int32_t function, moment now) {
    call_frame frame = {.function = address, .entry = now};
    int32_t parent = -1;
    if (calls->depth) {
        const call_frame *top = &calls->frames[calls->depth - 1];
        int watched = top->stops || top->layer >= 0;
        frame.return_address = top->return_address;
        frame.is_tail = watched ? 1 : top->is_tail;
        parent = watched ? top->node : calls->nodes[top->node].parent;
        calls->depth -= !watched;
    }
    if (calls->depth < MAXIMUM_DEPTH) {
        frame.node = child_node(calls, parent, address);
        push(calls, frame, function);
    }
}

/* Leave the innermost function with the tail-calling ones below it. */
static void leave(call_state *calls, moment now, uint32_t *stopped) {
    int is_tail = 1;
    while (is_tail && calls->depth) {
        const call_frame *frame = &calls->frames[--calls->depth];
        close_layer(calls, frame, now);
        if (frame->stops) {
            *stopped = frame->function;
        }
        is_tail = frame->is_tail;
    }
    if (calls->depth) {
        set_current(calls, calls->frames[calls->depth - 1].node, now);
    }
}

int calls_return(call_state *calls, uint32_t address, moment now, uint32_t *stopped) {
    if (!calls->depth || calls->frames[calls->depth - 1].return_address != address) {
        return 0;
    }
    leave(calls, now, stopped);
    return 1;
}

int calls_unwind(call_state *calls, uint32_t address, moment now, uint32_t *stopped) {
    uint32_t depth = calls->depth;
    while (depth && calls->frames[depth - 1].return_address != address) {
        --depth;
    }
    if (!depth) {
        return 0;
    }
    while (calls->depth >= depth) {
        leave(calls, now, stopped);
    }
    return 1;
}
