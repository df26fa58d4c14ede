/* Following a block's code with symbolic registers. */
#include <string.h>

#include "allocate.h"
#include "decode.h"
#include "outcomes.h"
#include "planner.h"

static affine new_unknown(planner *p, int32_t load, uint32_t offset) {
    p->unknowns = reallocate(p->unknowns, p->unknown_count + 1, sizeof *p->unknowns);
    p->unknowns[p->unknown_count] = (unknown_value){.load = load, .offset = (uint16_t)offset};
    return affine_source((uint16_t)(UNKNOWN + p->unknown_count++));
}

/* The word at a constant address that no store can change; 0 if it is not that. */
static int constant_word(const planner *p, const affine *address, uint32_t *word) {
    for (uint32_t i = 0; i < p->spec->bank_count && !address->terms; ++i) {
        const mcusim_bank *bank = &p->spec->banks[i];
        uint32_t offset = address->constant - bank->start;
        if (!bank->is_tracked && offset < bank->size && bank->size - offset >= sizeof *word) {
            memcpy(word, bank->data + offset, sizeof *word);
            return 1;
        }
    }
    return 0;
}

static affine loaded_value(planner *p, const block_access *access, uint32_t element) {
    affine address = access->address;
    uint32_t word;
    address.constant += element * access->access.unit;
    if (access->access.unit == sizeof word && constant_word(p, &address, &word)) {
        return affine_constant(word);
    }
    return new_unknown(p, (int32_t)p->access_count, element * access->access.unit);
}

static affine access_address(planner *p, uint32_t pc, const memory_access *access) {
    affine address = access->base == REG_PC ? affine_constant((pc + 4) & ~3u) : p->registers[access->base];
    address.constant += (uint32_t)access->offset;
    if (access->index >= 0 && !affine_add(&address, &p->registers[access->index], 1u << access->shift)) {
        return new_unknown(p, NO_LOAD, 0);
    }
    return address;
}

static void forget(planner *p, uint32_t registers) {
    for (uint32_t i = 0; i < 15; ++i) {
        if (registers >> i & 1) {
            p->registers[i] = new_unknown(p, NO_LOAD, 0);
        }
    }
}

static void add_access(planner *p, const mcusim_instruction *instruction, const memory_access *decoded,
                       uint8_t condition) {
    block_access access = {.access = *decoded, .pc = instruction->address, .condition = condition};
    access.index = p->instruction_count;
    access.address = access_address(p, access.pc, decoded);
    if (condition != CONDITION_ALWAYS) {
        forget(p, instruction->writes);
    } else {
        uint32_t others = instruction->writes;
        affine loaded[MAXIMUM_TARGETS];
        for (uint32_t i = 0; i < decoded->target_count; ++i) {
            loaded[i] = loaded_value(p, &access, i);
            others &= ~(1u << decoded->targets[i]);
        }
        if (decoded->write_back) {
            p->registers[decoded->base].constant += (uint32_t)decoded->write_back;
            others &= ~(1u << decoded->base);
        }
        for (uint32_t i = 0; i < decoded->target_count; ++i) {
            p->registers[decoded->targets[i]] = loaded[i];
        }
        forget(p, others);
    }
    if (decoded->status >= 0) {
        access.status = p->registers[decoded->status];
    }
    p->accesses = reallocate(p->accesses, p->access_count + 1, sizeof *p->accesses);
    p->accesses[p->access_count++] = access;
}

static void apply_effect(planner *p, const mcusim_instruction *instruction, uint32_t word,
                         uint8_t condition) {
    register_effect effect = {.target = -1};
    if (condition == CONDITION_ALWAYS && instruction->writes) {
        effect = affine_effect(word, instruction->size == 4, instruction->address, p->registers);
    }
    if (effect.target >= 0 && effect.target < 15) {
        p->registers[effect.target] = effect.value;
        forget(p, instruction->writes & ~(1u << effect.target));
    } else {
        forget(p, instruction->writes);
    }
}

static uint8_t advance_it(uint8_t state) {
    return state & 7 ? (uint8_t)((state & 0xE0) | (state << 1 & 0x1F)) : 0;
}

static void note_outcome(planner *p, const mcusim_instruction *instruction, uint32_t word,
                         uint8_t condition) {
    uint32_t bits = outcome_bits(instruction);
    if (bits && p->is_whole) {
        p->outcomes = reallocate(p->outcomes, p->outcome_count + 1, sizeof *p->outcomes);
        p->outcomes[p->outcome_count++] =
            (block_outcome){.pc = instruction->address,
                            .index = p->instruction_count,
                            .word = word,
                            .access = p->plan->last_accesses ? (int32_t)p->access_count : -1,
                            .bits = (uint8_t)bits,
                            .condition = condition};
    }
}

static void plan_instruction(planner *p, const uint8_t *code, uint32_t address, uint8_t *it_state,
                             mcusim_instruction *instruction) {
    uint8_t condition = *it_state & 0xF ? *it_state >> 4 : CONDITION_ALWAYS;
    uint32_t word = (uint32_t)code[0] | (uint32_t)code[1] << 8;
    memory_access access;
    mcusim_decode(p->spec->timing, code, address, *it_state & 0xF, instruction);
    int is_wide = instruction->size == 4;
    if (is_wide) {
        word = word << 16 | (uint32_t)code[2] | (uint32_t)code[3] << 8;
    }
    *it_state = instruction->it_length ? (uint8_t)word : advance_it(*it_state);
    p->plan->last_accesses = (uint8_t)decode_access(p->spec->accesses, word, is_wide, &access);
    note_outcome(p, instruction, word, condition);
    if (p->plan->last_accesses) {
        add_access(p, instruction, &access, condition);
    } else {
        apply_effect(p, instruction, word, condition);
    }
    if (instruction->flags & FLAG_SP_DYNAMIC && instruction->kind == KIND_SYSTEM) {
        forget(p, 1u << REG_SP);
    }
    if (instruction->flags & FLAG_SETS_FLAGS || instruction->kind == KIND_SYSTEM) {
        p->last_flag_setter = (int32_t)p->instruction_count;
    }
    ++p->instruction_count;
}

void planner_walk(planner *p, const uint8_t *code) {
    block_plan *plan = p->plan;
    uint8_t it_state = plan->it_state;
    for (uint16_t i = 0; i < 16; ++i) {
        p->registers[i] = affine_source((uint16_t)(SOURCE_ENTRY + i));
    }
    for (uint32_t position = 0; position + 2 <= plan->size;) {
        uint8_t bytes[4] = {code[position], code[position + 1], 0, 0};
        mcusim_instruction instruction;
        if (position + 4 <= plan->size) {
            bytes[2] = code[position + 2];
            bytes[3] = code[position + 3];
        }
        plan->last = plan->start + position;
        plan_instruction(p, bytes, plan->last, &it_state, &instruction);
        position += instruction.size;
    }
    plan->it_state_next = it_state;
}
