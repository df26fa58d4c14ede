#include "liveness.h"

#include <string.h>

#include "allocate.h"

enum { TIMES = 1 << 22, SEGMENTS = 1 << 16 };

void byte_set_init(byte_set *set, uint32_t size) {
    set->bits = allocate_zeroed(size / 8 + 1, 1);
    set->members = 0;
}

void byte_set_clear(byte_set *set, uint32_t size) {
    memset(set->bits, 0, size / 8 + 1);
    set->members = 0;
}

static void add_byte(byte_set *set, uint32_t byte) {
    uint8_t mask = (uint8_t)(1u << (byte & 7));
    if (!(set->bits[byte >> 3] & mask)) {
        set->bits[byte >> 3] |= mask;
        ++set->members;
    }
}

void liveness_init(liveness *live, uint32_t size) {
    memset(live, 0, sizeof *live);
    live->size = size;
    live->capacity = TIMES;
    occupancy_init(&live->map, size);
    live->written = allocate_zeroed(size, sizeof *live->written);
    live->read = allocate_zeroed(size, sizeof *live->read);
    live->used = allocate_zeroed((size >> PAGE_BITS) + 1, sizeof *live->used);
    live->steps = allocate_zeroed(live->capacity, sizeof *live->steps);
    liveness_begin(live);
}

void liveness_free(liveness *live) {
    free(live->written);
    free(live->read);
    free(live->used);
    free(live->steps);
    free(live->contexts);
    free(live->segments);
    free(live->opened);
    occupancy_free(&live->map);
}

static int32_t find_context(liveness *live, int32_t parent, int32_t layer) {
    for (int32_t outer = parent; outer >= 0; outer = live->contexts[outer].parent) {
        if (live->contexts[outer].layer == layer) {
            return parent;
        }
    }
    for (uint32_t i = 0; i < live->context_count; ++i) {
        if (live->contexts[i].parent == parent && live->contexts[i].layer == layer) {
            return (int32_t)i;
        }
    }
    live->contexts = reallocate(live->contexts, live->context_count + 1, sizeof *live->contexts);
    live->contexts[live->context_count] = (live_context){.parent = parent, .layer = layer};
    return (int32_t)live->context_count++;
}

static void begin_segment(liveness *live, int32_t context) {
    if (live->segment_count == live->segment_capacity) {
        live->segment_capacity = live->segment_capacity ? 2 * live->segment_capacity : 64;
        live->segments = reallocate(live->segments, live->segment_capacity, sizeof *live->segments);
    }
    live->segments[live->segment_count++] = (live_segment){live->now, context};
    live->context = context;
    occupancy_set_writer(&live->map, (int16_t)(live->contexts[context].layer + 2));
}

void liveness_begin(liveness *live) {
    memset(live->written, 0, live->size * sizeof *live->written);
    memset(live->read, 0, live->size * sizeof *live->read);
    memset(live->used, 0, ((live->size >> PAGE_BITS) + 1) * sizeof *live->used);
    memset(live->steps, 0, ((size_t)live->now + 2) * sizeof *live->steps);
    live->now = 1;
    live->unread = 0;
    live->context_count = live->segment_count = live->open_count = 0;
    occupancy_begin(&live->map, live->now);
    begin_segment(live, find_context(live, -1, -1));
}

static void boundary(liveness *live, int32_t context) {
    if (++live->now + 1 == live->capacity || live->segment_count == SEGMENTS) {
        liveness_make_room(live);
    }
    begin_segment(live, context);
}

void liveness_open(liveness *live, int32_t layer) {
    int32_t outer = live->context;
    boundary(live, find_context(live, outer, layer));
    if (live->open_count == live->open_capacity) {
        live->open_capacity = live->open_capacity ? 2 * live->open_capacity : 16;
        live->opened = reallocate(live->opened, live->open_capacity, sizeof *live->opened);
    }
    live->opened[live->open_count++] = (open_layer_time){live->now, outer};
}

static void add_touched(const liveness *live, uint32_t since, byte_set *touched) {
    for (uint32_t page = 0; page << PAGE_BITS < live->size; ++page) {
        if (live->used[page] < since) {
            continue;
        }
        for (uint32_t byte = page << PAGE_BITS; byte < (page + 1) << PAGE_BITS && byte < live->size; ++byte) {
            if ((live->written[byte] & ~READ_BEFORE) >= since || live->read[byte] >= since) {
                add_byte(touched, byte);
            }
        }
    }
}

void liveness_touch(const liveness *live, uint32_t open, byte_set *touched) {
    add_touched(live, live->opened[open].since, touched);
}

void liveness_close(liveness *live, byte_set *touched) {
    const open_layer_time layer = live->opened[--live->open_count];
    add_touched(live, layer.since, touched);
    boundary(live, layer.outer_context);
}

void liveness_advance(liveness *live, uint64_t cycles) {
    if (++live->now + 1 == live->capacity) {
        liveness_make_room(live);
    }
    occupancy_advance(&live->map, cycles, live->now);
}

/* Live bytes at every time from 1 to now; with `pending` also by values that may still be read again.
 * The caller frees the result. */
static int32_t *live_curve(const liveness *live, int pending) {
    int32_t *curve = allocate_zeroed((size_t)live->now + 2, sizeof *curve);
    memcpy(curve, live->steps, ((size_t)live->now + 2) * sizeof *curve);
    for (uint32_t byte = 0; pending && byte < live->size; ++byte) {
        uint32_t written = live->written[byte] & ~READ_BEFORE;
        if (written && live->read[byte] >= written) {
            ++curve[written];
            --curve[live->read[byte] + 1];
        }
    }
    for (uint32_t time = 1; time <= live->now; ++time) {
        curve[time] += curve[time - 1];
    }
    return curve;
}

void liveness_settle_map(liveness *live) {
    liveness_map(live, 0, live->size);
    occupancy_settle(&live->map);
}

static uint32_t segment_end(const liveness *live, uint32_t segment) {
    return segment + 1 < live->segment_count ? live->segments[segment + 1].start : live->now + 1;
}

live_figures liveness_measure(liveness *live) {
    live_figures figures = {.unread_bytes = live->unread};
    int32_t *curve = live_curve(live, 1);
    for (uint32_t i = 0; i < live->segment_count; ++i) {
        live_context *context = &live->contexts[live->segments[i].context];
        for (uint32_t time = live->segments[i].start; time < segment_end(live, i); ++time) {
            if ((int32_t)context->peak < curve[time]) {
                context->peak = (uint32_t)curve[time];
            }
        }
        if (figures.live_peak_bytes < context->peak) {
            figures.live_peak_bytes = context->peak;
        }
    }
    for (uint32_t byte = 0; byte < live->size; ++byte) {
        uint32_t written = live->written[byte];
        figures.touched_bytes += written || live->read[byte];
        figures.unread_bytes += written && !(written & READ_BEFORE) && live->read[byte] < written;
    }
    free(curve);
    return figures;
}

static int is_inside(const liveness *live, int32_t context, int32_t layer) {
    for (; context >= 0; context = live->contexts[context].parent) {
        if (live->contexts[context].layer == layer) {
            return 1;
        }
    }
    return 0;
}

uint32_t liveness_layer_peak(const liveness *live, int32_t layer) {
    uint32_t peak = 0;
    for (uint32_t i = 0; i < live->context_count; ++i) {
        if (live->contexts[i].peak > peak && is_inside(live, (int32_t)i, layer)) {
            peak = live->contexts[i].peak;
        }
    }
    return peak;
}

uint32_t liveness_high_water(const liveness *live, uint32_t first, uint32_t size) {
    while (size && !live->written[first + size - 1]) {
        --size;
    }
    return size;
}

/* Mark (1) the times that can still be a peak, and those that tell open layers, and columns of the map, from
 * what was before. */
static void mark_kept(const liveness *live, const int32_t *curve, uint32_t *kept) {
    int32_t *best = allocate_zeroed(live->context_count, sizeof *best);
    for (uint32_t i = live->segment_count; i-- > 0;) {
        int32_t *limit = &best[live->segments[i].context];
        for (uint32_t time = segment_end(live, i); time-- > live->segments[i].start;) {
            if (curve[time] > *limit) {
                *limit = curve[time];
                kept[time] = 1;
            }
        }
    }
    free(best);
    kept[1] = kept[live->now] = 1;
    for (uint32_t i = 0; i < live->open_count; ++i) {
        kept[live->opened[i].since] = kept[live->opened[i].since - 1] = 1;
    }
    for (uint32_t column = 0; column <= live->map.column; ++column) {
        kept[live->map.begins[column]] = kept[live->map.begins[column] - 1] = 1;
    }
    kept[0] = 0;
}

/* `rank[t]` is the number of kept times up to t, which is the new name of the last of them. */
static void rename_bytes(liveness *live, const uint32_t *rank) {
    for (uint32_t byte = 0; byte < live->size; ++byte) {
        uint32_t flag = live->written[byte] & READ_BEFORE;
        uint32_t written = live->written[byte] & ~READ_BEFORE;
        uint32_t read = live->read[byte];
        live->read[byte] = rank[read];
        if (!written) {
            continue;
        }
        live->written[byte] = 1 + rank[written - 1];
        if (read >= written && live->read[byte] < live->written[byte]) {
            flag = READ_BEFORE;
        }
        live->written[byte] |= flag;
    }
    for (uint32_t page = 0; page << PAGE_BITS < live->size; ++page) {
        live->used[page] = rank[live->used[page]];
    }
}

static void rename_segments(liveness *live, const uint32_t *rank) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < live->segment_count; ++i) {
        live_segment segment = {1 + rank[live->segments[i].start - 1], live->segments[i].context};
        int is_empty =
            i + 1 < live->segment_count && rank[live->segments[i + 1].start - 1] == segment.start - 1;
        if (!is_empty) {
            live->segments[count++] = segment;
        }
    }
    live->segment_count = count;
    for (uint32_t i = 0; i < live->open_count; ++i) {
        live->opened[i].since = rank[live->opened[i].since];
    }
    for (uint32_t column = 0; column <= live->map.column; ++column) {
        live->map.begins[column] = rank[live->map.begins[column]];
    }
}

/* Steps of the values that have ended, at the kept times. */
static void rename_steps(liveness *live, const uint32_t *rank) {
    int32_t *ended = live_curve(live, 0);
    memset(live->steps, 0, ((size_t)live->now + 2) * sizeof *live->steps);
    int32_t before = 0;
    for (uint32_t time = 1; time <= live->now; ++time) {
        if (rank[time] != rank[time - 1]) {
            live->steps[rank[time]] = ended[time] - before;
            before = ended[time];
        }
    }
    live->steps[rank[live->now] + 1] = -before;
    free(ended);
}

void liveness_make_room(liveness *live) {
    uint32_t *rank = allocate_zeroed((size_t)live->now + 1, sizeof *rank);
    int32_t *curve = live_curve(live, 1);
    mark_kept(live, curve, rank);
    free(curve);
    for (uint32_t time = 1; time <= live->now; ++time) {
        rank[time] += rank[time - 1];
    }
    rename_steps(live, rank);
    rename_bytes(live, rank);
    rename_segments(live, rank);
    live->now = rank[live->now];
    free(rank);
    if (live->now > live->capacity / 2) {
        uint32_t capacity = 2 * live->capacity;
        live->steps = reallocate(live->steps, capacity, sizeof *live->steps);
        memset(live->steps + live->capacity, 0, live->capacity * sizeof *live->steps);
        live->capacity = capacity;
    }
}
