/* Thumb-2 decoder, driven by the table that mcusim/timing holds. */
#ifndef MCUSIM_DECODE_H
#define MCUSIM_DECODE_H

#include "mcusim_core.h"

enum { REG_SP = 13, REG_LR = 14, REG_PC = 15 };

/* The enumerations below are those of mcusim/timing/isa.py. */
enum {
    KIND_UNKNOWN,
    KIND_ALU,
    KIND_MULTIPLY,
    KIND_DIVIDE,
    KIND_LOAD,
    KIND_STORE,
    KIND_STORE_INDEXED,
    KIND_LOAD_MANY,
    KIND_STORE_MANY,
    KIND_LOAD_PAIR,
    KIND_STORE_PAIR,
    KIND_BRANCH,
    KIND_TABLE_BRANCH,
    KIND_NOP,
    KIND_IT,
    KIND_SYSTEM,
    KIND_BARRIER,
    KIND_FP_MOVE,
    KIND_FP_MOVE_PAIR,
    KIND_FP_ALU,
    KIND_FP_MAC,
    KIND_FP_DIVIDE,
    KIND_FP_LOAD,
    KIND_FP_LOAD_DOUBLE,
    KIND_FP_STORE,
    KIND_FP_STORE_DOUBLE,
    KIND_FP_LOAD_MANY,
    KIND_FP_STORE_MANY,
};

enum {
    BRANCH_NONE,
    BRANCH_DIRECT,
    BRANCH_INDIRECT,
    BRANCH_CALL,
    BRANCH_CALL_INDIRECT,
    BRANCH_RETURN,
    BRANCH_TABLE,
};

enum {
    FLAG_CONDITION = 1,
    FLAG_SETS_FLAGS = 2,
    FLAG_SETS_FLAGS_OUTSIDE_IT = 4,
    FLAG_SETS_FLAGS_BY_S = 8,
    FLAG_DOUBLE = 16,
    FLAG_CONDITIONAL = 32,
    FLAG_LITERAL = 64,
    FLAG_WRITE_BACK = 128,
    FLAG_SP_DYNAMIC = 256,
};

/* Instructions of a run; `items` grows and is reused. */
typedef struct {
    mcusim_instruction *items;
    uint32_t count;
    uint32_t capacity;
} instruction_list;

/* Decode `size` bytes that start at address `start`, following IT blocks. */
void decode_run(const mcusim_timing *timing, const uint8_t *code, uint32_t start, uint32_t size,
                instruction_list *list);

/* Number of the register that a field code of mcusim/timing/isa.py names. */
uint32_t core_register(uint32_t word, uint8_t field);

/* Core registers in a register list (none for floating point); `count` receives the words moved. */
uint32_t register_list(uint32_t word, uint8_t registers, uint32_t *count);

/* i:imm3:imm8 as it stands, and through ThumbExpandImm (DDI 0403E A5.3.2). */
uint32_t plain_immediate(uint32_t word);
uint32_t expanded_immediate(uint32_t word);

/* Whether control never goes on behind the instruction. */
static inline int ends_line(const mcusim_instruction *instruction) {
    return instruction->branch != BRANCH_NONE && !(instruction->flags & FLAG_CONDITIONAL);
}

#endif
