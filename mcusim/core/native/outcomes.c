#include "outcomes.h"

enum { SKIP_BITS = 1, DIVISION_BITS = 4, ALL_BITS = 32, STEP = 4 };

static int is_same_either_way(int kind) {
    return kind == KIND_UNKNOWN || kind == KIND_ALU || kind == KIND_MULTIPLY || kind == KIND_NOP ||
           kind == KIND_IT || kind == KIND_FP_MOVE;
}

uint32_t outcome_bits(const mcusim_instruction *instruction) {
    if (instruction->branch != BRANCH_NONE) {
        return 0;
    }
    if (instruction->kind == KIND_DIVIDE) {
        return DIVISION_BITS;
    }
    return instruction->flags & FLAG_CONDITIONAL && !is_same_either_way(instruction->kind) ? SKIP_BITS : 0;
}

static int32_t significant_bits(uint32_t value, int is_signed) {
    int32_t bits = 0;
    if (is_signed && value >> 31) {
        value = 0 - value;
    }
    for (; value; value >>= 1) {
        ++bits;
    }
    return bits;
}

uint32_t division_outcome(uint32_t dividend, uint32_t divisor, int is_signed) {
    int32_t of_dividend = significant_bits(dividend, is_signed);
    int32_t of_divisor = significant_bits(divisor, is_signed);
    if (!of_dividend || !of_divisor) {
        return DIVISION_ZERO;
    }
    if (of_dividend < of_divisor) {
        return DIVISION_SHORT;
    }
    return DIVISION_LONG + (uint32_t)(of_dividend - of_divisor) / STEP;
}

void outcome_append(outcome_list *list, uint32_t outcome, uint32_t bits) {
    if (list->bits + bits > ALL_BITS) {
        list->bits = ALL_BITS;
        return;
    }
    list->value |= outcome << list->bits;
    list->bits += bits;
}

/* An instruction that passes through the pipeline without doing anything: one cycle. */
static void skip(mcusim_instruction *instruction) {
    instruction->kind = KIND_ALU;
    instruction->address_registers = instruction->writes = 0;
    instruction->fp_reads = instruction->fp_writes = 0;
    instruction->base = -1;
    instruction->count = 0;
    instruction->branch = BRANCH_NONE;
    instruction->flags &= (uint16_t)~(FLAG_LITERAL | FLAG_WRITE_BACK);
}

/* In an IT block; one to an address in the encoding costs the same if it is not taken. */
static int is_skippable_branch(const mcusim_instruction *instruction) {
    int in_it = instruction->flags & FLAG_CONDITIONAL && !(instruction->flags & FLAG_CONDITION);
    return in_it && instruction->branch != BRANCH_NONE && instruction->branch != BRANCH_DIRECT;
}

void apply_outcomes(instruction_list *run, uint32_t outcome, int taken) {
    uint32_t position = 0;
    for (uint32_t i = 0; i < run->count; ++i) {
        mcusim_instruction *instruction = &run->items[i];
        uint32_t bits = outcome_bits(instruction);
        uint32_t value = 0;
        if (bits && position + bits <= ALL_BITS) {
            value = outcome >> position & ((1u << bits) - 1);
        }
        position = position + bits <= ALL_BITS ? position + bits : ALL_BITS;
        int stayed = is_skippable_branch(instruction) && !(taken && i + 1 == run->count);
        if (stayed || (bits && value == (bits == DIVISION_BITS ? DIVISION_SKIPPED : OUTCOME_SKIPPED))) {
            skip(instruction);
        } else {
            instruction->outcome = (uint8_t)value;
        }
    }
}
