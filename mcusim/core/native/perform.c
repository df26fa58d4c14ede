#include "perform.h"

#include <string.h>

#include "allocate.h"
#include "registers.h"

#define STREAM_FACTOR 0x9E3779B97F4A7C15u
#define NOT_TRACKED UINT32_MAX
/* Parameter number of mcusim/timing/rules.py. */
enum { P_UNALIGNED = 36 };

static void note_stray(stray_reads *reads, uint32_t pc, uint32_t address) {
    for (uint32_t i = 0; i < reads->count; ++i) {
        if (reads->rows[i].pc == pc) {
            ++reads->rows[i].count;
            return;
        }
    }
    if (reads->count < MAXIMUM_STRAYS) {
        reads->rows[reads->count++] = (mcusim_stray_read){1, pc, address};
    }
}

static inline void note(access_tracker *tracker, uint32_t pc, uint32_t address, uint32_t size, int store) {
    const mcusim_bank *bank = tracker->spec->banks;
    for (uint32_t i = 0; i < tracker->tracked_count; ++i, ++bank) {
        uint32_t offset = address - bank->start;
        if (offset >= bank->size) {
            continue;
        }
        uint32_t inside = bank->size - offset < size ? bank->size - offset : size;
        if (store) {
            liveness_write(&tracker->live, bank->first + offset, inside);
        } else if (liveness_read(&tracker->live, bank->first + offset, inside)) {
            note_stray(&tracker->unwritten, pc, address);
        }
        return;
    }
}

void access_note(access_tracker *tracker, uint32_t pc, uint32_t address, uint32_t size, int store) {
    if (tracker->is_measured && size) {
        note(tracker, pc, address, size, store);
    }
}

static inline uint32_t sum(const affine *value, const uint32_t *values) {
    uint32_t result = value->constant;
    /* All terms, though most have the factor 0: the host cannot foretell how many there are. */
    for (int i = 0; i < MAXIMUM_TERMS; ++i) {
        result += value->factor[i] * values[value->source[i]];
    }
    return result;
}

/* Take an access into the hash, word by word where it moves several; as `mix` of mcusim/core/stream.py. */
static void hash_access(access_tracker *tracker, const planned_access *access, uint32_t address) {
    const mcusim_bank *bank = access_bank(tracker, address);
    uint32_t unit = access->size > 4 ? 4 : access->size;
    for (uint32_t offset = 0; bank && bank->is_tracked && offset < access->size; offset += unit) {
        uint64_t element =
            (uint64_t)(address + offset) | (uint64_t)unit << 32 | (uint64_t)access->store << 40;
        tracker->stream_hash = (tracker->stream_hash ^ element) * STREAM_FACTOR;
        tracker->stream_hash ^= tracker->stream_hash >> 32;
    }
}

/* The value in memory now; memory that is not the chip's own, such as a device's, cannot be read again. */
static uint32_t fetch(access_tracker *tracker, const planned_access *access, uint32_t address) {
    const mcusim_bank *bank = access_bank(tracker, address);
    uint32_t value = 0;
    if (!bank || bank->size - (address - bank->start) < access->size) {
        ++tracker->lost;
        return 0;
    }
    memcpy(&value, bank->data + (address - bank->start), access->size);
    if (access->is_signed && value >> (8 * access->size - 1)) {
        value |= ~0u << (8 * access->size - 1);
    }
    return value;
}

/* Rule 14 for data that are not aligned, and constants in flash. */
static inline uint32_t wait_cycles(const access_tracker *tracker, const planned_access *access,
                                   uint32_t address) {
    uint32_t waited = 0;
    uint32_t misaligned = address & access->low_bits;
    if (misaligned && (access->size == 2 || access->size == 4)) {
        uint32_t step = (uint32_t)tracker->spec->timing->parameters[P_UNALIGNED];
        waited = access->size == 4 && misaligned & 1 ? 2 * step : step;
    }
    if (tracker->spec->flash.wait_states && !access->store) {
        for (uint32_t offset = 0; offset < access->size; offset += 4) {
            waited += flash_read(tracker->flash, address + offset);
        }
    }
    if (tracker->survey->is_on && !access->store) {
        survey_read(tracker->survey, address, access->size);
    }
    return waited;
}

/* Whether the core faults instead of making the access: Arm DDI 0403E, A3.2.1; a null pointer by choice. */
static int is_refused(access_tracker *tracker, const planned_access *access, uint32_t address) {
    uint32_t why = STOP_NONE;
    if (address < access->null_end && tracker->spec->null_stops) {
        why = STOP_NULL;
    } else if (address < access->null_end) {
        note_stray(&tracker->null_reads, access->pc, address);
    }
    if (address & access->low_bits && (access->aligned || tracker->traps_unaligned)) {
        why = STOP_UNALIGNED;
    }
    if (why != STOP_NONE) {
        tracker->fault = (mcusim_stop_state){why, address, access->pc};
    }
    return why != STOP_NONE;
}

static inline void charge(access_tracker *tracker, const planned_access *access, uint32_t address) {
    uint32_t waited = wait_cycles(tracker, access, address);
    tracker->waited += waited;
    waits_add(&tracker->waits, access->pc, waited);
}

static int is_made(const planned_access *access, const uint32_t *values, uint32_t flags) {
    return condition_holds(access->condition, flags) &&
           (access->if_zero == NO_SOURCE || !values[access->if_zero]) &&
           (access->if_set == NO_SOURCE || values[access->if_set]);
}

static inline void execute(access_tracker *tracker, const planned_access *access, uint32_t flags) {
    uint32_t *values = tracker->values;
    uint32_t address = sum(&access->address, values);
    if (access->target) {
        values[access->target] = fetch(tracker, access, address);
    } else if (access->is_certain || is_made(access, values, flags)) {
        if ((address & access->low_bits || address < access->null_end) &&
            is_refused(tracker, access, address)) {
            return;
        }
        if (tracker->is_measured) {
            note(tracker, access->pc, address, access->size, access->store);
        }
        if (tracker->is_measured && tracker->spec->hash_accesses) {
            hash_access(tracker, access, address);
        }
        charge(tracker, access, address);
    }
}

/* Find the bytes of a range among those of all tracked banks; 0 unless all or none of them are in one, and no
 * access to them is anything but reading. */
static inline int locate(const access_tracker *tracker, const read_range *range, uint32_t *first) {
    const mcusim_bank *bank = tracker->spec->banks;
    const uint32_t address = sum(&range->address, tracker->values);
    if (address & range->low_bits || address < range->null_end) {
        return 0;
    }
    *first = NOT_TRACKED;
    for (uint32_t i = 0; i < tracker->tracked_count; ++i, ++bank) {
        uint32_t offset = address - bank->start;
        if (offset < bank->size) {
            *first = bank->first + offset;
            return bank->size - offset >= range->size;
        }
        if (0 - offset < range->size) {
            return 0;
        }
    }
    return 1;
}

/* Read `count` ranges; 0 if their accesses are to be made one by one, perhaps once more. */
static int read_ranges(access_tracker *tracker, const read_range *ranges, uint32_t count) {
    uint32_t first[MAXIMUM_RANGES];
    int never_written = 0;
    for (uint32_t i = 0; i < count; ++i) {
        if (!locate(tracker, &ranges[i], &first[i])) {
            return 0;
        }
    }
    for (uint32_t i = 0; i < count && tracker->is_measured; ++i) {
        if (first[i] != NOT_TRACKED) {
            never_written |= liveness_read(&tracker->live, first[i], ranges[i].size);
        }
    }
    return !never_written;
}

/* Accesses [first, end), which only read. Whether flash makes them wait depends on their order, what they do
 * to SRAM does not. */
static void read_stretch(access_tracker *tracker, const block_plan *plan, uint32_t first,
                         const access_stretch *stretch, uint32_t range) {
    const int in_ranges = !tracker->spec->hash_accesses &&
                          read_ranges(tracker, plan->ranges + range, stretch->range_end - range);
    if (in_ranges && !tracker->reads_flash) {
        return;
    }
    for (uint32_t i = first; i < stretch->end && !tracker->fault.stop; ++i) {
        if (in_ranges) {
            charge(tracker, &plan->exit[i], sum(&plan->exit[i].address, tracker->values));
        } else {
            execute(tracker, &plan->exit[i], 0);
        }
    }
}

void perform_exit(access_tracker *tracker, const block_plan *plan, uint32_t flags) {
    uint32_t access = 0;
    uint32_t range = 0;
    if (plan->needs_exit) {
        registers_copy(&tracker->spec->emulator, tracker->values + SOURCE_EXIT);
    }
    for (uint32_t i = 0; i < plan->stretch_count && !tracker->fault.stop; ++i) {
        const access_stretch *stretch = &plan->stretches[i];
        if (stretch->is_read) {
            read_stretch(tracker, plan, access, stretch, range);
        }
        for (; !stretch->is_read && access < stretch->end && !tracker->fault.stop; ++access) {
            execute(tracker, &plan->exit[access], flags);
        }
        access = stretch->end;
        range = stretch->range_end;
    }
    tracker->lost += plan->dropped;
}

void perform_make_slots(access_tracker *tracker, const block_plan *plan) {
    if (tracker->value_count < plan->slots) {
        tracker->values = reallocate(tracker->values, plan->slots, sizeof *tracker->values);
        tracker->value_count = plan->slots;
    }
}

void perform_entry(access_tracker *tracker, const block_plan *plan) {
    perform_make_slots(tracker, plan);
    if (plan->exit_count) {
        registers_copy(&tracker->spec->emulator, tracker->values + SOURCE_ENTRY);
    }
    for (uint32_t i = 0; i < plan->capture_count; ++i) {
        tracker->values[plan->captures[i].target] = 0;
        tracker->values[plan->captures[i].target + 1] = 0;
    }
    for (uint32_t i = 0; i < plan->entry_count; ++i) {
        execute(tracker, &plan->entry[i], 0);
    }
}
