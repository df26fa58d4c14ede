/* Which bytes of SRAM hold a value that will still be read, exactly and in one forward pass.
 *
 * Time counts writes, for the set of live bytes grows at a write only. Per byte the time of its last write
 * and of its last read are kept; when a value ends, its interval [write, last read] is added to a list of
 * steps whose running sum is the number of live bytes over time. Old times are dropped as soon as a later
 * one of the same layers can no longer be surpassed by them, so memory stays bounded. */
#ifndef MCUSIM_LIVENESS_H
#define MCUSIM_LIVENESS_H

#include "mcusim_core.h"
#include "occupancy.h"

enum { PAGE_BITS = 8, MIXED_PAGE = 0xFF };

/* Set in the time of a write whose value was read at a time that has been dropped. */
#define READ_BEFORE 0x80000000u

/* A set of SRAM bytes, one bit each. */
typedef struct {
    uint8_t *bits;
    uint64_t members;
} byte_set;

/* Open layers: one layer (-1: none) inside those of the parent. */
typedef struct {
    int32_t parent;
    int32_t layer;
    uint32_t peak;
    uint64_t unread; /* bytes written there and over again that were never read */
} live_context;

/* Bytes [first, end) of SRAM, whose live bytes are told apart. */
typedef struct {
    uint32_t first;
    uint32_t end;
    int32_t *steps; /* by time: change of the number of live bytes */
    uint32_t peak;
} live_part;

/* From `start` on time belongs to `context`. */
typedef struct {
    uint32_t start;
    int32_t context;
} live_segment;

/* A layer that is being executed. */
typedef struct {
    uint32_t since;
    int32_t layer;
} open_layer_time;

typedef struct {
    uint32_t size;     /* bytes of SRAM */
    uint32_t *written; /* per byte: time of the last write, 0 for never */
    uint32_t *read;    /* per byte: time of the last read, 0 for never */
    uint16_t *writer;  /* per byte: context of the last write */
    uint32_t *used;    /* per page: time of the last access */
    uint8_t *part_of;  /* per page: the part that it lies in, MIXED_PAGE for several */
    live_part *parts;  /* the last one is the heap, which takes its bytes from the others */
    uint32_t part_count;
    uint32_t capacity; /* times that steps have room for */
    uint32_t now;
    live_context *contexts;
    uint32_t context_count;
    live_segment *segments;
    uint32_t segment_count;
    uint32_t segment_capacity;
    open_layer_time *opened; /* outermost first */
    uint32_t open_count;
    uint32_t open_capacity;
    int32_t context;
    occupancy map;
    uint32_t column_peaks[OCCUPANCY_COLUMNS]; /* most live bytes in each column of the map */
} liveness;

typedef struct {
    uint64_t touched_bytes;
    uint64_t unread_bytes; /* written and never read, bytes written again counted again */
    uint32_t live_peak_bytes;
} live_figures;

/* `parts` are as many ranges of bytes as are told apart; what lies in none counts as the first. */
void liveness_init(liveness *live, uint32_t size, const live_part *parts, uint32_t part_count);
void liveness_free(liveness *live);

/* Nothing was ever written. */
void liveness_begin(liveness *live);

/* Enter a layer, or leave it where it was entered last, which adds the bytes read or written since then to
 * `touched`. */
void liveness_open(liveness *live, int32_t layer);
void liveness_close(liveness *live, int32_t layer, byte_set *touched);

/* Bytes [first, end) are the heap, and so is what was before. */
void liveness_set_heap(liveness *live, uint32_t first, uint32_t end);

/* `cycles` have gone by. */
void liveness_advance(liveness *live, uint64_t cycles);

/* Let the map know of the values that may still be read. */
void liveness_settle_map(liveness *live);

/* Add the bytes touched so far in an open layer, counted from the outermost. */
void liveness_touch(const liveness *live, uint32_t open, byte_set *touched);

/* Figures up to now; brings the peaks of all contexts, parts and columns up to date. */
live_figures liveness_measure(liveness *live);
uint32_t liveness_layer_peak(const liveness *live, int32_t layer);

/* Add to each layer's number the bytes that it wrote, or layers inside it, and nobody read. */
void liveness_unread(const liveness *live, uint64_t *by_layer, uint32_t layer_count);

/* End of the highest byte of [first, first + size) that was written, relative to `first`. */
uint32_t liveness_high_water(const liveness *live, uint32_t first, uint32_t size);

void byte_set_init(byte_set *set, uint32_t size);
void byte_set_clear(byte_set *set, uint32_t size);

/* Make room for more times (in live_curve.c). */
void liveness_make_room(liveness *live);

/* Values of bytes [first, end) that may lie in several parts end. */
void liveness_end_apart(liveness *live, uint32_t first, uint32_t end);

/* The part that a byte lies in, on any page. */
uint32_t liveness_part(const liveness *live, uint32_t byte);

static inline void liveness_use(liveness *live, uint32_t first, uint32_t size) {
    uint32_t last_page = (first + size - 1) >> PAGE_BITS;
    for (uint32_t page = first >> PAGE_BITS; page < last_page; ++page) {
        live->used[page] = live->now;
    }
    live->used[last_page] = live->now;
}

/* What of the bytes [first, first + size) was never written; the constant sizes of its callers are unrolled.
 */
static inline int liveness_read_bytes(liveness *live, uint32_t first, uint32_t size) {
    int never_written = 0;
    for (uint32_t byte = first; byte < first + size; ++byte) {
        live->read[byte] = live->now;
        never_written |= live->written[byte] == 0;
    }
    return never_written;
}

/* Read bytes [first, first + size); whether one of them was never written. */
static inline int liveness_read(liveness *live, uint32_t first, uint32_t size) {
    uint32_t byte = first;
    int never_written = 0;
    liveness_use(live, first, size);
    if (size == 1) {
        return liveness_read_bytes(live, first, 1);
    }
    for (; byte + 4 <= first + size; byte += 4) {
        never_written |= liveness_read_bytes(live, byte, 4);
    }
    if (byte < first + size) {
        never_written |= liveness_read_bytes(live, byte, first + size - byte);
    }
    return never_written;
}

/* Bytes [first, end) held values of one write that were read for the last time together, and end. */
static inline void liveness_end_values(liveness *live, uint32_t first, uint32_t end) {
    const uint32_t written = live->written[first];
    const uint32_t since = written & ~READ_BEFORE;
    const uint32_t read = live->read[first];
    const int32_t count = (int32_t)(end - first);
    if (since && read >= since) {
        const uint32_t part = live->part_of[first >> PAGE_BITS];
        if (part == MIXED_PAGE || live->part_of[(end - 1) >> PAGE_BITS] != part) {
            liveness_end_apart(live, first, end);
        } else {
            live->parts[part].steps[since] += count;
            live->parts[part].steps[read + 1] -= count;
        }
        occupancy_live(&live->map, first, end, since, read);
    } else if (written & READ_BEFORE) {
        occupancy_live(&live->map, first, end, since, since);
    } else if (written) {
        live->contexts[live->writer[first]].unread += (uint32_t)count;
    }
}

/* The end of the values from `first` on that share their times, mostly those of one write. */
static inline uint32_t liveness_same_times(const liveness *live, uint32_t first, uint32_t end) {
    uint32_t next = first + 1;
    while (next < end && live->written[next] == live->written[first] &&
           live->read[next] == live->read[first]) {
        ++next;
    }
    return next;
}

/* liveness_same_times of four bytes with one branch, which mostly goes one way. */
static inline uint32_t liveness_same_times_of_word(const liveness *live, uint32_t first) {
    const uint32_t *written = live->written + first;
    const uint32_t *read = live->read + first;
    const uint32_t differ = (written[0] ^ written[1]) | (written[0] ^ written[2]) |
                            (written[0] ^ written[3]) | (read[0] ^ read[1]) | (read[0] ^ read[2]) |
                            (read[0] ^ read[3]);
    return differ ? liveness_same_times(live, first, first + 4) : first + 4;
}

/* As liveness_write; its callers' constant size is unrolled. */
static inline void liveness_write_bytes(liveness *live, uint32_t first, uint32_t size) {
    const uint32_t end = first + size;
    if (++live->now + 1 == live->capacity) {
        liveness_make_room(live);
    }
    for (uint32_t byte = first; byte < end;) {
        uint32_t next =
            end - byte == 4 ? liveness_same_times_of_word(live, byte) : liveness_same_times(live, byte, end);
        liveness_end_values(live, byte, next);
        byte = next;
    }
    for (uint32_t byte = first; byte < end; ++byte) {
        live->written[byte] = live->now;
        live->writer[byte] = (uint16_t)live->context;
    }
    liveness_use(live, first, size);
    occupancy_write(&live->map, first, size);
}

/* Write bytes [first, first + size). */
static inline void liveness_write(liveness *live, uint32_t first, uint32_t size) {
    if (size == 4) {
        liveness_write_bytes(live, first, 4);
    } else if (size == 1) {
        liveness_write_bytes(live, first, 1);
    } else {
        liveness_write_bytes(live, first, size);
    }
}

#endif
