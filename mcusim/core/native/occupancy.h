/* Who wrote what lies where in SRAM, and what of it is alive, over time: a grid of addresses and cycles.
 *
 * A column is `width` cycles; when they run out, neighbours are merged and the width doubles, so a run of any
 * length has at most OCCUPANCY_COLUMNS. A row is OCCUPANCY_GRANULES granules of 2^shift bytes, one bit each.
 */
#ifndef MCUSIM_OCCUPANCY_H
#define MCUSIM_OCCUPANCY_H

#include "mcusim_core.h"

enum { OCCUPANCY_COLUMNS = 512, OCCUPANCY_GRANULES = 64, OCCUPANCY_ROWS = 4096 };

typedef struct {
    uint64_t alive[OCCUPANCY_COLUMNS]; /* granules that at some time held a value still to be read */
    int16_t owner[OCCUPANCY_COLUMNS];  /* who wrote last: 0 nobody, 1 code outside all layers, 2 + layer */
} occupancy_row;

/* Granules `bits` of a row are alive in columns `from` to `to`. */
typedef struct {
    uint64_t bits;
    uint32_t row;
    uint32_t from;
    uint32_t to;
} occupancy_mark;

/* `begins[c]` is the first time of column c, in the unit of the caller's `now`. */
typedef struct {
    occupancy_row **rows; /* NULL where nothing was written */
    uint32_t row_count;
    uint32_t written_rows;
    uint32_t row_shift; /* log2 of the bytes of a row */
    uint64_t width;
    uint64_t until; /* cycles at which the next column begins */
    uint32_t column;
    uint32_t last_written; /* columns looked up last */
    uint32_t last_read;
    occupancy_mark pending; /* not yet in the rows; neighbours mostly die alike */
    uint32_t noted_row;     /* whose owner is already the writer */
    int16_t writer;
    uint32_t begins[OCCUPANCY_COLUMNS];
} occupancy;

void occupancy_init(occupancy *map, uint32_t size);
void occupancy_free(occupancy *map);
void occupancy_begin(occupancy *map, uint32_t now);

/* `cycles` have come to `until`: a new column begins with time `now`. */
void occupancy_advance(occupancy *map, uint64_t cycles, uint32_t now);

static inline void occupancy_set_writer(occupancy *map, int16_t writer) {
    map->writer = writer;
    map->noted_row = UINT32_MAX;
}

void occupancy_make_row(occupancy *map, uint32_t row);

/* Bring the rows up to date. */
void occupancy_settle(occupancy *map);

/* As occupancy_live, for values of earlier columns and over several rows. */
void occupancy_live_before(occupancy *map, uint32_t first, uint32_t end, uint32_t written, uint32_t read);

/* The granules of bytes [first, end) in their row. */
static inline uint64_t occupancy_bits(const occupancy *map, uint32_t first, uint32_t end) {
    uint32_t inside = (1u << map->row_shift) - 1;
    uint32_t shift = map->row_shift - 6;
    uint32_t low = (first & inside) >> shift;
    uint32_t high = ((end - 1) & inside) >> shift;
    return (~0ull >> (63 - (high - low))) << low;
}

static inline void occupancy_write(occupancy *map, uint32_t first, uint32_t size) {
    if (first >> map->row_shift == map->noted_row && (first + size - 1) >> map->row_shift == map->noted_row) {
        return;
    }
    for (uint32_t row = first >> map->row_shift; row <= (first + size - 1) >> map->row_shift; ++row) {
        if (!map->rows[row]) {
            occupancy_make_row(map, row);
        }
        map->rows[row]->owner[map->column] = map->writer;
        map->noted_row = row;
    }
}

/* Bytes [first, end) held values that were written at `written` and last read at `read`. */
static inline void occupancy_live(occupancy *map, uint32_t first, uint32_t end, uint32_t written,
                                  uint32_t read) {
    uint32_t row = first >> map->row_shift;
    if (written < map->begins[map->column] || (end - 1) >> map->row_shift != row) {
        occupancy_live_before(map, first, end, written, read);
    } else {
        map->rows[row]->alive[map->column] |= occupancy_bits(map, first, end);
    }
}

#endif
