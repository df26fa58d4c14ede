/* Who wrote what lies where in SRAM, and what of it is alive, over time: a grid of addresses and cycles.
 *
 * A column is `width` cycles; when they run out, neighbours are merged and the width doubles, so a run of any
 * length has at most OCCUPANCY_COLUMNS. A row is OCCUPANCY_GRANULES granules of 2^shift bytes, one bit each.
 */
#ifndef MCUSIM_OCCUPANCY_H
#define MCUSIM_OCCUPANCY_H

#include "mcusim_core.h"

enum { OCCUPANCY_COLUMNS = 512, OCCUPANCY_GRANULES = 64, OCCUPANCY_ROWS = 4096, OCCUPANCY_TIMES = 64 };

/* Granules `bits` are alive in columns `from` to `to`. */
typedef struct {
    uint64_t bits;
    uint16_t from;
    uint16_t to;
} occupancy_mark;

typedef struct {
    uint64_t alive[OCCUPANCY_COLUMNS]; /* granules that at some time held a value still to be read */
    int16_t owner[OCCUPANCY_COLUMNS];  /* who wrote last: 0 nobody, 1 code outside all layers, 2 + layer */
    occupancy_mark pending;            /* not yet in `alive`; neighbours mostly die alike */
    uint32_t doublings;                /* of the width that the row's columns have */
} occupancy_row;

/* Times [begin, begin + span) are those of `column`, which is over; the span is 0 where none is known. */
typedef struct {
    uint32_t begin;
    uint32_t span;
    uint32_t column;
} occupancy_times;

/* `begins[c]` is the first time of column c, in the unit of the caller's `now`. A row that is not used stays
 * behind when the width doubles. */
typedef struct {
    occupancy_row **rows; /* NULL where nothing was written */
    uint32_t row_count;
    uint32_t written_rows;
    uint32_t row_shift; /* log2 of the bytes of a row */
    uint64_t width;
    uint64_t until;     /* cycles at which the next column begins */
    uint32_t doublings; /* of the width since the start */
    uint32_t column;
    uint32_t noted_row; /* whose owner is already the writer */
    int16_t writer;
    uint32_t begins[OCCUPANCY_COLUMNS];
    occupancy_times times[OCCUPANCY_TIMES]; /* looked up last, by hash of the time */
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

/* The columns that are over have other times now. */
void occupancy_forget_times(occupancy *map);

/* The slow path of occupancy_row_of: make the row, or give it columns of the present width. */
occupancy_row *occupancy_renew_row(occupancy *map, uint32_t row);

/* Bring the rows up to date. */
void occupancy_settle(occupancy *map);

static inline occupancy_row *occupancy_row_of(occupancy *map, uint32_t row) {
    occupancy_row *found = map->rows[row];
    return found && found->doublings == map->doublings ? found : occupancy_renew_row(map, row);
}

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
        occupancy_row_of(map, row)->owner[map->column] = map->writer;
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
        occupancy_row_of(map, row)->alive[map->column] |= occupancy_bits(map, first, end);
    }
}

#endif
