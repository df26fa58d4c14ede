#include "occupancy.h"

#include <string.h>

#include "allocate.h"

enum { FIRST_WIDTH = 64, LOG2_GRANULES = 6 };

void occupancy_init(occupancy *map, uint32_t size) {
    memset(map, 0, sizeof *map);
    map->row_shift = LOG2_GRANULES;
    while (size > (uint32_t)OCCUPANCY_ROWS << map->row_shift) {
        ++map->row_shift;
    }
    map->row_count = (size >> map->row_shift) + 1;
    map->rows = allocate_zeroed(map->row_count, sizeof *map->rows);
}

static void free_rows(occupancy *map) {
    for (uint32_t row = 0; row < map->row_count; ++row) {
        free(map->rows[row]);
        map->rows[row] = NULL;
    }
}

void occupancy_free(occupancy *map) {
    free_rows(map);
    free(map->rows);
}

void occupancy_begin(occupancy *map, uint32_t now) {
    free_rows(map);
    map->width = map->until = FIRST_WIDTH;
    map->column = map->written_rows = map->last_written = map->last_read = 0;
    map->pending.bits = 0;
    occupancy_set_writer(map, 1);
    map->begins[0] = now;
}

void occupancy_make_row(occupancy *map, uint32_t row) {
    ++map->written_rows;
    map->rows[row] = allocate_zeroed(1, sizeof **map->rows);
}

static void halve_row(occupancy_row *row) {
    for (uint32_t column = 0; column < OCCUPANCY_COLUMNS / 2; ++column) {
        const uint32_t pair = 2 * column;
        row->alive[column] = row->alive[pair] | row->alive[pair + 1];
        row->owner[column] = row->owner[pair + 1] ? row->owner[pair + 1] : row->owner[pair];
    }
    memset(row->alive + OCCUPANCY_COLUMNS / 2, 0, sizeof row->alive / 2);
    memset(row->owner + OCCUPANCY_COLUMNS / 2, 0, sizeof row->owner / 2);
}

static void halve(occupancy *map) {
    map->width *= 2;
    map->column /= 2;
    map->last_written = map->last_read = 0;
    for (uint32_t column = 0; column <= map->column; ++column) {
        map->begins[column] = map->begins[2 * column];
    }
    for (uint32_t row = 0; row < map->row_count; ++row) {
        if (map->rows[row]) {
            halve_row(map->rows[row]);
        }
    }
}

void occupancy_advance(occupancy *map, uint64_t cycles, uint32_t now) {
    occupancy_settle(map);
    while (cycles >= OCCUPANCY_COLUMNS * map->width) {
        halve(map);
    }
    uint32_t column = (uint32_t)(cycles / map->width);
    while (map->column < column) {
        map->begins[++map->column] = now;
    }
    map->until = (map->column + 1) * map->width;
    map->noted_row = UINT32_MAX;
}

/* The last column that begins at `time` or before; the one found last is tried first. */
static uint32_t column_of(const occupancy *map, uint32_t time, uint32_t *last) {
    uint32_t low = 0;
    uint32_t high = map->column + 1;
    if (map->begins[*last] <= time && (*last == map->column || time < map->begins[*last + 1])) {
        return *last;
    }
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (map->begins[middle] <= time) {
            low = middle;
        } else {
            high = middle;
        }
    }
    *last = low;
    return low;
}

void occupancy_settle(occupancy *map) {
    const occupancy_mark *mark = &map->pending;
    for (uint32_t column = mark->from; mark->bits && column <= mark->to; ++column) {
        map->rows[mark->row]->alive[column] |= mark->bits;
    }
    map->pending.bits = 0;
}

void occupancy_live_before(occupancy *map, uint32_t first, uint32_t end, uint32_t written, uint32_t read) {
    const uint32_t from = column_of(map, written, &map->last_written);
    const uint32_t to = column_of(map, read, &map->last_read);
    while (first < end) {
        uint32_t row = first >> map->row_shift;
        uint32_t next = (row + 1) << map->row_shift;
        uint64_t bits = occupancy_bits(map, first, next < end ? next : end);
        occupancy_mark *mark = &map->pending;
        if (mark->row != row || mark->from != from || mark->to != to) {
            occupancy_settle(map);
            *mark = (occupancy_mark){0, row, from, to};
        }
        mark->bits |= bits;
        first = next;
    }
}
