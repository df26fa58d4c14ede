/* Flashes that the firmware does not run from: how often each would be read, by node of the call tree. The
 * waits at any number of wait states follow from that. */
#ifndef MCUSIM_SURVEY_H
#define MCUSIM_SURVEY_H

#include "flash.h"

/* One state for all flashes whose caches are alike, with a counter for each of them. */
typedef struct {
    flash_unit unit;
    uint32_t constants; /* read by the pending run */
    flash_counter *counters;
    uint32_t count;
} surveyed_caches;

typedef struct {
    const mcusim_spec *spec;
    surveyed_caches *caches;
    uint32_t count;
    uint64_t (**by_node)[MCUSIM_FLASH_AHEAD]; /* of each flash */
    uint32_t nodes;                           /* for which there is room */
    int32_t is_on;
    uint64_t end; /* of the highest flash; most data lie above */
} flash_survey;

void survey_init(flash_survey *survey, const mcusim_spec *spec);
void survey_free(flash_survey *survey);

/* Nothing is cached or counted; counting goes on if `is_on`. */
void survey_begin(flash_survey *survey, int32_t is_on);

/* The pending run reads data that may be in flash. */
void survey_read(flash_survey *survey, uint32_t address, uint32_t size);

/* The pending run, which took `cycles` beside waiting, is over. */
void survey_commit(flash_survey *survey, uint32_t node, uint32_t start, uint32_t end, uint32_t cycles);

/* The counts of `nodes` nodes. */
void survey_copy(const flash_survey *survey, uint32_t flash, uint32_t nodes, uint64_t *reads);

#endif
