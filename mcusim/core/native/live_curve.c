/* The number of live bytes over time: its maxima, and forgetting times that can be none any more. */
#include <string.h>

#include "allocate.h"
#include "liveness.h"

static uint32_t part_of(const liveness *live, uint32_t byte) {
    uint32_t part = live->part_of[byte >> PAGE_BITS];
    return part == MIXED_PAGE ? liveness_part(live, byte) : part;
}

/* Live bytes of every part at every time from 1 to now, `pitch` numbers a part; with `pending` also by values
 * that may still be read again. The caller frees the result. */
static int32_t *live_curves(const liveness *live, size_t pitch, int pending) {
    int32_t *curves = allocate_zeroed(live->part_count * pitch, sizeof *curves);
    for (uint32_t part = 0; part < live->part_count; ++part) {
        memcpy(curves + part * pitch, live->parts[part].steps, pitch * sizeof *curves);
    }
    for (uint32_t byte = 0; pending && byte < live->size; ++byte) {
        uint32_t written = live->written[byte] & ~READ_BEFORE;
        if (written && live->read[byte] >= written) {
            int32_t *curve = curves + part_of(live, byte) * pitch;
            ++curve[written];
            --curve[live->read[byte] + 1];
        }
    }
    for (uint32_t part = 0; part < live->part_count; ++part) {
        int32_t *curve = curves + part * pitch;
        for (uint32_t time = 1; time <= live->now; ++time) {
            curve[time] += curve[time - 1];
        }
    }
    return curves;
}

static size_t pitch_of(const liveness *live) {
    return (size_t)live->now + 2;
}

/* The first curve becomes the sum of all. */
static void add_up(const liveness *live, int32_t *curves, size_t pitch) {
    for (uint32_t part = 1; part < live->part_count; ++part) {
        for (uint32_t time = 1; time <= live->now; ++time) {
            curves[time] += curves[part * pitch + time];
        }
    }
}

/* The highest value at times [start, end), 0 if there is none above. */
static uint32_t highest(const int32_t *curve, uint32_t start, uint32_t end) {
    int32_t peak = 0;
    for (uint32_t time = start; time < end; ++time) {
        peak = curve[time] > peak ? curve[time] : peak;
    }
    return (uint32_t)peak;
}

static uint32_t segment_end(const liveness *live, uint32_t segment) {
    return segment + 1 < live->segment_count ? live->segments[segment + 1].start : live->now + 1;
}

/* A column that was leapt over has the time at which the next one begins: what lives on then lived in it. */
static uint32_t column_end(const liveness *live, uint32_t column) {
    uint32_t begin = live->map.begins[column];
    uint32_t end = column < live->map.column ? live->map.begins[column + 1] : live->now + 1;
    return end > begin ? end : begin + 1;
}

static void measure_peaks(liveness *live) {
    size_t pitch = pitch_of(live);
    int32_t *curves = live_curves(live, pitch, 1);
    for (uint32_t part = 0; part < live->part_count; ++part) {
        live->parts[part].peak = highest(curves + part * pitch, 1, live->now + 1);
    }
    add_up(live, curves, pitch);
    for (uint32_t i = 0; i < live->segment_count; ++i) {
        live_context *context = &live->contexts[live->segments[i].context];
        uint32_t peak = highest(curves, live->segments[i].start, segment_end(live, i));
        context->peak = peak > context->peak ? peak : context->peak;
    }
    for (uint32_t column = 0; column <= live->map.column; ++column) {
        live->column_peaks[column] = highest(curves, live->map.begins[column], column_end(live, column));
    }
    free(curves);
}

static int is_unread(const liveness *live, uint32_t byte) {
    uint32_t written = live->written[byte];
    return written && !(written & READ_BEFORE) && live->read[byte] < written;
}

live_figures liveness_measure(liveness *live) {
    live_figures figures = {0, 0, 0};
    measure_peaks(live);
    for (uint32_t i = 0; i < live->context_count; ++i) {
        figures.unread_bytes += live->contexts[i].unread;
        if (figures.live_peak_bytes < live->contexts[i].peak) {
            figures.live_peak_bytes = live->contexts[i].peak;
        }
    }
    for (uint32_t byte = 0; byte < live->size; ++byte) {
        figures.touched_bytes += live->written[byte] || live->read[byte];
        figures.unread_bytes += is_unread(live, byte);
    }
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

void liveness_unread(const liveness *live, uint64_t *by_layer, uint32_t layer_count) {
    uint64_t *unread = allocate_zeroed(live->context_count, sizeof *unread);
    for (uint32_t byte = 0; byte < live->size; ++byte) {
        unread[live->writer[byte]] += is_unread(live, byte);
    }
    for (uint32_t i = 0; i < live->context_count; ++i) {
        for (uint32_t layer = 0; layer < layer_count; ++layer) {
            if (is_inside(live, (int32_t)i, (int32_t)layer)) {
                by_layer[layer] += unread[i] + live->contexts[i].unread;
            }
        }
    }
    free(unread);
}

/* Mark (1) the times of [start, end) that are higher than all behind them, and than `limit`, which rises. */
static void mark_maxima(const int32_t *curve, uint32_t start, uint32_t end, int32_t *limit, uint32_t *kept) {
    for (uint32_t time = end; time-- > start;) {
        if (curve[time] > *limit) {
            *limit = curve[time];
            kept[time] = 1;
        }
    }
}

/* Those that can still be a peak: of a part, of all in a context, in a column of the map. */
static void mark_peaks(const liveness *live, uint32_t *kept) {
    size_t pitch = pitch_of(live);
    int32_t *curves = live_curves(live, pitch, 1);
    int32_t *best = allocate_zeroed(live->context_count, sizeof *best);
    for (uint32_t part = 0; part < live->part_count; ++part) {
        int32_t limit = 0;
        mark_maxima(curves + part * pitch, 1, live->now + 1, &limit, kept);
    }
    add_up(live, curves, pitch);
    for (uint32_t i = live->segment_count; i-- > 0;) {
        mark_maxima(curves, live->segments[i].start, segment_end(live, i), &best[live->segments[i].context],
                    kept);
    }
    for (uint32_t column = 0; column <= live->map.column; ++column) {
        int32_t limit = 0;
        mark_maxima(curves, live->map.begins[column], column_end(live, column), &limit, kept);
    }
    free(best);
    free(curves);
}

/* Those that tell open layers, and columns of the map, from what was before. */
static void mark_boundaries(const liveness *live, uint32_t *kept) {
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
    occupancy_forget_times(&live->map);
}

/* Steps of the values that have ended, at the kept times. */
static void rename_steps(liveness *live, const uint32_t *rank) {
    size_t pitch = pitch_of(live);
    int32_t *ended = live_curves(live, pitch, 0);
    for (uint32_t part = 0; part < live->part_count; ++part) {
        const int32_t *curve = ended + part * pitch;
        int32_t *steps = live->parts[part].steps;
        int32_t before = 0;
        memset(steps, 0, pitch * sizeof *steps);
        for (uint32_t time = 1; time <= live->now; ++time) {
            if (rank[time] != rank[time - 1]) {
                steps[rank[time]] = curve[time] - before;
                before = curve[time];
            }
        }
        steps[rank[live->now] + 1] = -before;
    }
    free(ended);
}

static void grow(liveness *live) {
    for (uint32_t part = 0; part < live->part_count; ++part) {
        int32_t *steps = reallocate(live->parts[part].steps, (size_t)2 * live->capacity, sizeof *steps);
        memset(steps + live->capacity, 0, live->capacity * sizeof *steps);
        live->parts[part].steps = steps;
    }
    live->capacity *= 2;
}

void liveness_make_room(liveness *live) {
    uint32_t *rank = allocate_zeroed((size_t)live->now + 1, sizeof *rank);
    mark_peaks(live, rank);
    mark_boundaries(live, rank);
    for (uint32_t time = 1; time <= live->now; ++time) {
        rank[time] += rank[time - 1];
    }
    rename_steps(live, rank);
    rename_bytes(live, rank);
    rename_segments(live, rank);
    live->now = rank[live->now];
    free(rank);
    if (live->now > live->capacity / 2) {
        grow(live);
    }
}
