/* How the addresses that a block of code touches follow from registers before and after it.
 *
 * The emulator tells when a block begins, not what it accesses. A block's loads and stores are evaluated
 * symbolically: each address becomes a sum of registers at the block's entry or exit and of words that are
 * read again from memory, where no store of the block can have changed them. What is left is caught by an
 * instruction callback. */
#ifndef MCUSIM_ACCESS_PLAN_H
#define MCUSIM_ACCESS_PLAN_H

#include "addressing.h"
#include "affine.h"

/* Sources of a planned value: registers at entry and at exit, then slots. */
enum { SOURCE_ENTRY = 0, SOURCE_EXIT = 16, SOURCE_SLOT = 32, NO_SOURCE = 0xFFFF };

enum { CONDITION_ALWAYS = 14 };

/* Read or write `size` bytes at `address`; a re-read puts the value there into the slot `target`. */
typedef struct {
    affine address;
    uint32_t pc;
    uint16_t size;
    uint16_t target;
    uint16_t if_zero;  /* only if this source is 0, NO_SOURCE for always */
    uint16_t if_set;   /* only if this source is not 0 */
    uint16_t null_end; /* addresses below are taken for null pointers */
    uint8_t store;
    uint8_t is_signed;
    uint8_t condition;
    uint8_t low_bits;   /* of an address that is not aligned */
    uint8_t aligned;    /* such an address always faults */
    uint8_t is_certain; /* it is made whatever the condition's flags and sources are */
} planned_access;

enum { MAXIMUM_RANGES = 16 };

/* Bytes that several accesses of a block read: `size` from `address` on. */
typedef struct {
    affine address;
    uint32_t size;
    uint16_t null_end; /* as of those accesses */
    uint8_t low_bits;
} read_range;

/* Accesses from the last stretch up to `end`. Where that is more, they are certain to read what the ranges
 * from the last stretch up to `range_end` hold, at most MAXIMUM_RANGES; what no range holds is not in SRAM.
 */
typedef struct {
    uint32_t end;
    uint32_t range_end;
    uint8_t is_read;
} access_stretch;

typedef enum { CAPTURE_ADDRESS, CAPTURE_UDIV, CAPTURE_SDIV } capture_kind;

/* What an instruction callback notes: the address into slot `target`, whether its condition holds behind. Of
 * a division of `base` by `index` its outcome is noted. */
typedef struct {
    capture_kind kind;
    uint32_t pc;
    int32_t offset;
    int8_t base;
    int8_t index;
    uint8_t shift;
    uint8_t condition;
    uint16_t target;
} planned_capture;

/* What tells the outcome of an instruction: the slots of its capture, 0 for none; then its condition under
 * the flags at the end of the block. */
typedef struct {
    uint32_t pc;
    uint16_t slot;
    uint8_t bits;
    uint8_t condition;
} planned_outcome;

typedef struct block_plan {
    struct block_plan *next;
    uint32_t start;
    uint32_t size;
    uint8_t it_state;      /* of the first instruction */
    uint8_t it_state_next; /* behind the last one */
    uint8_t needs_flags;
    uint8_t needs_exit;        /* registers at exit */
    uint8_t is_hooked;         /* the callbacks for all captures are there */
    uint32_t last;             /* address of the last instruction */
    uint8_t last_accesses;     /* it reads or writes memory */
    uint32_t slots;            /* sources in all */
    uint32_t dropped;          /* accesses left out */
    planned_access *entry;     /* re-reads before the block */
    planned_access *exit;      /* re-reads and accesses, in order */
    access_stretch *stretches; /* of what is in `exit` */
    read_range *ranges;
    planned_capture *captures;
    planned_outcome *outcomes; /* in order */
    uint32_t outcome_count;
    uint32_t entry_count;
    uint32_t exit_count;
    uint32_t capture_count;
    uint32_t stretch_count;
    uint32_t range_count;
} block_plan;

/* Plan the block of `size` bytes of `code` at `start`, or what was executed of one: the whole may have
 * callbacks and re-reads before it, accesses that need one are dropped from a part. The caller frees the
 * plan. */
block_plan *plan_block(const mcusim_spec *spec, const uint8_t *code, uint32_t start, uint32_t size,
                       uint8_t it_state, int is_whole);
void plan_free(block_plan *plan);

/* Find the stretches and ranges of a plan whose accesses are known. */
void plan_ranges(block_plan *plan, const mcusim_spec *spec);

#endif
