/* Making the accesses of a block that was planned: what they touch, read again, and take. */
#ifndef MCUSIM_PERFORM_H
#define MCUSIM_PERFORM_H

#include "access.h"

/* Make room for the values that a plan needs. */
void perform_make_slots(access_tracker *tracker, const block_plan *plan);

/* What a block of that plan asks for before it is executed. */
void perform_entry(access_tracker *tracker, const block_plan *plan);

/* Make the accesses of a block that was executed; `flags` are those behind it. Ends at one that is refused.
 */
void perform_exit(access_tracker *tracker, const block_plan *plan, uint32_t flags);

#endif
