#include "flash.h"

#include <string.h>

#include "allocate.h"

#define NO_LINE UINT32_MAX
#define OUTSIDE UINT32_MAX

enum { HELD_WORDS = 3, WORD = 4 };

static void cache_init(flash_cache *cache, const mcusim_cache *shape) {
    cache->shape = *shape;
    cache->lines = allocate_zeroed((size_t)shape->sets * shape->ways, sizeof *cache->lines);
}

static void cache_begin(flash_cache *cache) {
    memset(cache->lines, 0xFF, (size_t)cache->shape.sets * cache->shape.ways * sizeof *cache->lines);
}

void flash_init(flash_unit *flash, const mcusim_flash *timing) {
    flash->timing = timing;
    cache_init(&flash->code, &timing->code);
    cache_init(&flash->data, &timing->data);
    flash_begin(flash);
}

void flash_free(flash_unit *flash) {
    free(flash->code.lines);
    free(flash->data.lines);
}

void flash_begin(flash_unit *flash) {
    cache_begin(&flash->code);
    cache_begin(&flash->data);
    flash->line = flash->data_line = flash->steady_start = NO_LINE;
    flash->data_start = flash->data_bytes = 0;
}

/* Whether the line is cached; it is the most recently used one of its set then. */
static int cache_holds(flash_cache *cache, uint32_t line) {
    if (!cache->shape.sets) {
        return 0;
    }
    uint32_t *set = cache->lines + (size_t)(line % cache->shape.sets) * cache->shape.ways;
    for (uint32_t way = 0; way < cache->shape.ways; ++way) {
        if (set[way] == line) {
            memmove(set + 1, set, way * sizeof *set);
            set[0] = line;
            return 1;
        }
    }
    return 0;
}

static void cache_insert(flash_cache *cache, uint32_t line) {
    if (cache->shape.sets) {
        uint32_t *set = cache->lines + (size_t)(line % cache->shape.sets) * cache->shape.ways;
        memmove(set + 1, set, (cache->shape.ways - 1) * sizeof *set);
        set[0] = line;
    }
}

static uint32_t flash_offset(const mcusim_flash *timing, uint32_t address) {
    for (int i = 0; i < MCUSIM_FLASH_STARTS; ++i) {
        if (address - timing->starts[i] < timing->size) {
            return address - timing->starts[i];
        }
    }
    return OUTSIDE;
}

int flash_caches_alike(const mcusim_flash *one, const mcusim_flash *other) {
    return !memcmp(one->starts, other->starts, sizeof one->starts) && one->size == other->size &&
           !memcmp(&one->code, &other->code, sizeof one->code) &&
           !memcmp(&one->data, &other->data, sizeof one->data);
}

/* What executing a line in `cycles` takes beyond a word a cycle, which is as fast as fetches go, but no more
 * than the words held by the fetch unit last. */
static uint32_t run_ahead(const mcusim_flash *timing, uint32_t cycles) {
    uint32_t words = timing->code.line_bytes / WORD;
    uint32_t longest = HELD_WORDS * cycles / words;
    if (cycles <= words || !longest) {
        return 0;
    }
    return cycles - words < longest - 1 ? cycles - words : longest - 1;
}

/* A line that has to be read: whether it is behind the present one, and whether that is of the same run. */
typedef struct {
    int is_next;
    int in_run;
} missing_line;

/* Cycles of waiting that are hidden. */
static uint32_t hidden(const mcusim_flash *timing, missing_line line, uint32_t cycles_before) {
    if (timing->prefetch && line.is_next) {
        return cycles_before > 1 ? cycles_before - 1 : 0;
    }
    return line.in_run && timing->runs_ahead ? run_ahead(timing, cycles_before) : 0;
}

/* Whether the line has to be read. */
static int line_misses(flash_unit *flash, uint32_t line, int *is_next) {
    uint32_t present = flash->line;
    flash->line = line;
    if (line == present || cache_holds(&flash->code, line)) {
        return 0;
    }
    cache_insert(&flash->code, line);
    *is_next = present != NO_LINE && line == present + 1;
    return 1;
}

/* Fetch the code of a run line by line; what is missing is waited for, and counted. */
static uint32_t fetch(flash_unit *flash, uint32_t start, uint32_t end, uint32_t cycles,
                      const flash_counter *counters, uint32_t count) {
    if (start == flash->steady_start && end == flash->steady_end) {
        return 0;
    }
    uint32_t offset = flash_offset(flash->timing, start);
    if (offset == OUTSIDE || end <= start) {
        return 0;
    }
    uint32_t size = flash->code.shape.line_bytes;
    uint32_t states = flash->timing->wait_states;
    /* A run's cycles are spread evenly over its bytes. */
    uint32_t per_line = (uint32_t)((uint64_t)cycles * size / (end - start));
    uint32_t first = offset / size;
    uint32_t last = (offset + (end - start) - 1) / size;
    uint32_t waited = 0;
    /* Once more, every line would be looked up as now, and be found. */
    int steady = first == last || flash->line != first;
    for (uint32_t line = first; line <= last; ++line) {
        missing_line missing = {0, line != first};
        if (line_misses(flash, line, &missing.is_next)) {
            uint32_t ahead = hidden(flash->timing, missing, per_line);
            steady = first == last;
            waited += states > ahead ? states - ahead : 0;
            for (uint32_t i = 0; i < count; ++i) {
                ahead = hidden(counters[i].timing, missing, per_line);
                ++counters[i].by_ahead[ahead < MCUSIM_FLASH_AHEAD ? ahead : MCUSIM_FLASH_AHEAD - 1];
            }
        }
    }
    flash->steady_start = steady ? start : NO_LINE;
    flash->steady_end = end;
    return waited;
}

uint32_t flash_fetch(flash_unit *flash, uint32_t start, uint32_t end, uint32_t cycles) {
    return flash->timing->wait_states ? fetch(flash, start, end, cycles, NULL, 0) : 0;
}

void flash_count_fetch(flash_unit *flash, uint32_t start, uint32_t end, uint32_t cycles,
                       const flash_counter *counters, uint32_t count) {
    fetch(flash, start, end, cycles, counters, count);
}

int flash_misses_line(flash_unit *flash, uint32_t address) {
    uint32_t offset = flash_offset(flash->timing, address);
    uint32_t line = offset / flash->data.shape.line_bytes;
    uint32_t present = flash->data_line;
    flash->data_line = line;
    flash->data_start = address - (offset - line * flash->data.shape.line_bytes);
    flash->data_bytes = flash->data.shape.line_bytes;
    if (line == present || cache_holds(&flash->data, line)) {
        return 0;
    }
    cache_insert(&flash->data, line);
    return 1;
}
