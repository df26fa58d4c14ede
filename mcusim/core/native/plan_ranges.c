/* Reads of a block that no write separates have all happened at one time: they are followed as ranges. */
#include "access_plan.h"
#include "allocate.h"

/* Reading there is no concern of anybody: an address in the encoding, aligned and outside of SRAM. */
static int is_elsewhere(const mcusim_spec *spec, const planned_access *access) {
    const uint32_t address = access->address.constant;
    if (access->address.terms || address & access->low_bits || address < access->null_end) {
        return 0;
    }
    for (uint32_t i = 0; i < spec->bank_count && spec->banks[i].is_tracked; ++i) {
        const mcusim_bank *bank = &spec->banks[i];
        if (address - bank->start < bank->size || bank->start - address < access->size) {
            return 0;
        }
    }
    return 1;
}

/* Let the range hold the bytes of another that it touches; 0 if it does not, or is aligned in another way. */
static int join(read_range *range, const read_range *other) {
    int32_t difference;
    if (range->low_bits != other->low_bits || range->null_end != other->null_end ||
        !affine_difference(&other->address, &range->address, &difference) ||
        (uint32_t)difference & range->low_bits) {
        return 0;
    }
    const int64_t begin = difference < 0 ? difference : 0;
    const int64_t behind = (int64_t)difference + other->size;
    const int64_t end = behind > range->size ? behind : range->size;
    if (end - begin > (int64_t)range->size + other->size) {
        return 0;
    }
    range->address.constant += (uint32_t)begin;
    range->size = (uint32_t)(end - begin);
    return 1;
}

/* Add a range to `count` others, which it may join with each other; how many there are then. */
static uint32_t add_range(read_range *ranges, uint32_t count, read_range range) {
    for (uint32_t i = count; i-- > 0;) {
        if (join(&range, &ranges[i])) {
            for (uint32_t k = i; k + 1 < count; ++k) {
                ranges[k] = ranges[k + 1];
            }
            return add_range(ranges, count - 1, range);
        }
    }
    ranges[count] = range;
    return count + 1;
}

static int is_plain_read(const planned_access *access) {
    return !access->target && !access->store && access->is_certain;
}

/* Index behind the reads of `exit` from `first` on that fit into ranges; these become the plan's. */
static uint32_t gather(block_plan *plan, const mcusim_spec *spec, uint32_t first) {
    read_range found[MAXIMUM_RANGES + 1];
    uint32_t count = 0;
    uint32_t i = first;
    for (; i < plan->exit_count && is_plain_read(&plan->exit[i]) && count < MAXIMUM_RANGES; ++i) {
        const planned_access *access = &plan->exit[i];
        if (!is_elsewhere(spec, access)) {
            count =
                add_range(found, count,
                          (read_range){access->address, access->size, access->null_end, access->low_bits});
        }
    }
    plan->ranges = reallocate(plan->ranges, plan->range_count + count + 1, sizeof *plan->ranges);
    for (uint32_t k = 0; k < count; ++k) {
        plan->ranges[plan->range_count++] = found[k];
    }
    return i;
}

void plan_ranges(block_plan *plan, const mcusim_spec *spec) {
    for (uint32_t i = 0; i < plan->exit_count;) {
        access_stretch stretch = {.is_read = (uint8_t)is_plain_read(&plan->exit[i])};
        if (stretch.is_read) {
            i = gather(plan, spec, i);
        }
        while (!stretch.is_read && i < plan->exit_count && !is_plain_read(&plan->exit[i])) {
            ++i;
        }
        stretch.end = i;
        stretch.range_end = plan->range_count;
        plan->stretches = reallocate(plan->stretches, plan->stretch_count + 1, sizeof *plan->stretches);
        plan->stretches[plan->stretch_count++] = stretch;
    }
}
