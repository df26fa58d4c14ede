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

static int holds(const live_part *part, uint32_t byte) {
    return byte - part->first < part->end - part->first;
}

uint32_t liveness_part(const liveness *live, uint32_t byte) {
    uint32_t heap = live->part_count - 1;
    if (holds(&live->parts[heap], byte)) {
        return heap;
    }
    for (uint32_t part = 0; part < heap; ++part) {
        if (holds(&live->parts[part], byte)) {
            return part;
        }
    }
    return 0;
}

void liveness_end_apart(liveness *live, uint32_t first, uint32_t end) {
    for (uint32_t byte = first; byte < end; ++byte) {
        int32_t *steps = live->parts[liveness_part(live, byte)].steps;
        ++steps[live->written[byte] & ~READ_BEFORE];
        --steps[live->read[byte] + 1];
    }
}

/* Whether a part begins or ends behind the first of bytes [first, end). */
static int is_cut(const liveness *live, uint32_t first, uint32_t end) {
    for (uint32_t i = 0; i < live->part_count; ++i) {
        const live_part *part = &live->parts[i];
        if ((part->first > first && part->first < end) || (part->end > first && part->end < end)) {
            return 1;
        }
    }
    return 0;
}

/* Find the parts of the pages that hold bytes [first, end). */
static void set_pages(liveness *live, uint32_t first, uint32_t end) {
    for (uint32_t page = first >> PAGE_BITS; page << PAGE_BITS < end; ++page) {
        uint32_t start = page << PAGE_BITS;
        int is_mixed = is_cut(live, start, start + (1u << PAGE_BITS));
        live->part_of[page] = is_mixed ? MIXED_PAGE : (uint8_t)liveness_part(live, start);
    }
}

void liveness_set_heap(liveness *live, uint32_t first, uint32_t end) {
    live_part *heap = &live->parts[live->part_count - 1];
    int is_empty = heap->first == heap->end;
    heap->first = is_empty || first < heap->first ? first : heap->first;
    heap->end = is_empty || end > heap->end ? end : heap->end;
    set_pages(live, heap->first, heap->end);
}

static void init_parts(liveness *live, const live_part *parts, uint32_t part_count) {
    live->part_count = part_count + 1;
    live->parts = allocate_zeroed(live->part_count, sizeof *live->parts);
    live->part_of = allocate_zeroed((live->size >> PAGE_BITS) + 1, sizeof *live->part_of);
    for (uint32_t i = 0; i < part_count; ++i) {
        live->parts[i] = parts[i];
    }
    for (uint32_t i = 0; i < live->part_count; ++i) {
        live->parts[i].steps = allocate_zeroed(live->capacity, sizeof *live->parts[i].steps);
    }
    set_pages(live, 0, live->size);
}

void liveness_init(liveness *live, uint32_t size, const live_part *parts, uint32_t part_count) {
    memset(live, 0, sizeof *live);
    live->size = size;
    live->capacity = TIMES;
    occupancy_init(&live->map, size);
    live->written = allocate_zeroed(size, sizeof *live->written);
    live->read = allocate_zeroed(size, sizeof *live->read);
    live->used = allocate_zeroed((size >> PAGE_BITS) + 1, sizeof *live->used);
    live->writer = allocate_zeroed(size, sizeof *live->writer);
    init_parts(live, parts, part_count);
    liveness_begin(live);
}

void liveness_free(liveness *live) {
    free(live->written);
    free(live->read);
    free(live->used);
    free(live->writer);
    free(live->part_of);
    for (uint32_t part = 0; part < live->part_count; ++part) {
        free(live->parts[part].steps);
    }
    free(live->parts);
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
    for (uint32_t part = 0; part < live->part_count; ++part) {
        memset(live->parts[part].steps, 0, ((size_t)live->now + 2) * sizeof(int32_t));
    }
    live->now = 1;
    live->parts[live->part_count - 1].first = live->parts[live->part_count - 1].end = 0;
    set_pages(live, 0, live->size);
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
    boundary(live, find_context(live, live->context, layer));
    if (live->open_count == live->open_capacity) {
        live->open_capacity = live->open_capacity ? 2 * live->open_capacity : 16;
        live->opened = reallocate(live->opened, live->open_capacity, sizeof *live->opened);
    }
    live->opened[live->open_count++] = (open_layer_time){live->now, layer};
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

/* Layers of several threads may be left in another order than that in which they were entered. */
void liveness_close(liveness *live, int32_t layer, byte_set *touched) {
    uint32_t left = live->open_count;
    while (left-- && live->opened[left].layer != layer) {
    }
    add_touched(live, live->opened[left].since, touched);
    memmove(live->opened + left, live->opened + left + 1, (--live->open_count - left) * sizeof *live->opened);
    int32_t context = find_context(live, -1, -1);
    for (uint32_t i = 0; i < live->open_count; ++i) {
        context = find_context(live, context, live->opened[i].layer);
    }
    boundary(live, context);
}

void liveness_advance(liveness *live, uint64_t cycles) {
    if (++live->now + 1 == live->capacity) {
        liveness_make_room(live);
    }
    occupancy_advance(&live->map, cycles, live->now);
}

void liveness_settle_map(liveness *live) {
    for (uint32_t byte = 0; byte < live->size;) {
        uint32_t next = liveness_same_times(live, byte, live->size);
        uint32_t written = live->written[byte] & ~READ_BEFORE;
        if (written && live->read[byte] >= written) {
            occupancy_live(&live->map, byte, next, written, live->read[byte]);
        } else if (live->written[byte] & READ_BEFORE) {
            occupancy_live(&live->map, byte, next, written, written);
        }
        byte = next;
    }
    occupancy_settle(&live->map);
}

uint32_t liveness_high_water(const liveness *live, uint32_t first, uint32_t size) {
    while (size && !live->written[first + size - 1]) {
        --size;
    }
    return size;
}
