#include "occupancy.h"

#include <string.h>

#include "allocate.h"

enum { FIRST_WIDTH = 64, LOG2_GRANULES = 6, LOG2_HASHED_TIMES = 8 };

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

void occupancy_forget_times(occupancy *map) {
    memset(map->times, 0, sizeof map->times);
}

void occupancy_begin(occupancy *map, uint32_t now) {
    free_rows(map);
    map->width = map->until = FIRST_WIDTH;
    map->column = map->written_rows = map->doublings = 0;
    occupancy_forget_times(map);
    occupancy_set_writer(map, 1);
    map->begins[0] = now;
}

static void settle_row(occupancy_row *row) {
    const occupancy_mark mark = row->pending;
    for (uint32_t column = mark.from; mark.bits && column <= mark.to; ++column) {
        row->alive[column] |= mark.bits;
    }
    row->pending.bits = 0;
}

/* Merge neighbouring columns, `doublings` times. */
static void widen_columns(occupancy_row *row, uint32_t doublings) {
    uint32_t used = OCCUPANCY_COLUMNS;
    while (doublings-- && used > 1) {
        used /= 2;
        for (uint32_t column = 0; column < used; ++column) {
            const uint32_t pair = 2 * column;
            row->alive[column] = row->alive[pair] | row->alive[pair + 1];
            row->owner[column] = row->owner[pair + 1] ? row->owner[pair + 1] : row->owner[pair];
        }
    }
    memset(row->alive + used, 0, (OCCUPANCY_COLUMNS - used) * sizeof *row->alive);
    memset(row->owner + used, 0, (OCCUPANCY_COLUMNS - used) * sizeof *row->owner);
}

occupancy_row *occupancy_renew_row(occupancy *map, uint32_t row) {
    occupancy_row *found = map->rows[row];
    if (found) {
        settle_row(found);
        widen_columns(found, map->doublings - found->doublings);
    } else {
        ++map->written_rows;
        found = map->rows[row] = allocate_zeroed(1, sizeof *found);
    }
    found->doublings = map->doublings;
    return found;
}

static void double_width(occupancy *map) {
    map->width *= 2;
    map->column /= 2;
    ++map->doublings;
    for (uint32_t column = 0; column <= map->column; ++column) {
        map->begins[column] = map->begins[2 * column];
    }
    occupancy_forget_times(map);
}

void occupancy_advance(occupancy *map, uint64_t cycles, uint32_t now) {
    while (cycles >= OCCUPANCY_COLUMNS * map->width) {
        double_width(map);
    }
    uint32_t column = (uint32_t)(cycles / map->width);
    while (map->column < column) {
        map->begins[++map->column] = now;
    }
    map->until = (map->column + 1) * map->width;
    map->noted_row = UINT32_MAX;
}

/* The last column that begins at `time` or before, which is not the present one. */
static occupancy_times look_up(const occupancy *map, uint32_t time) {
    uint32_t low = 0;
    uint32_t high = map->column;
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (map->begins[middle] <= time) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return (occupancy_times){map->begins[low], map->begins[low + 1] - map->begins[low], low};
}

static inline uint16_t column_of(occupancy *map, uint32_t time) {
    if (time >= map->begins[map->column]) {
        return (uint16_t)map->column;
    }
    occupancy_times *times = &map->times[time >> LOG2_HASHED_TIMES & (OCCUPANCY_TIMES - 1)];
    if (time - times->begin >= times->span) {
        *times = look_up(map, time);
    }
    return (uint16_t)times->column;
}

void occupancy_settle(occupancy *map) {
    for (uint32_t row = 0; row < map->row_count; ++row) {
        if (map->rows[row]) {
            settle_row(occupancy_row_of(map, row));
        }
    }
}

void occupancy_live_before(occupancy *map, uint32_t first, uint32_t end, uint32_t written, uint32_t read) {
    const uint16_t from = column_of(map, written);
    const uint16_t to = column_of(map, read);
    while (first < end) {
        occupancy_row *row = occupancy_row_of(map, first >> map->row_shift);
        uint32_t next = ((first >> map->row_shift) + 1) << map->row_shift;
        if (row->pending.from != from || row->pending.to != to) {
            settle_row(row);
            row->pending.from = from;
            row->pending.to = to;
        }
        row->pending.bits |= occupancy_bits(map, first, next < end ? next : end);
        first = next;
    }
}
