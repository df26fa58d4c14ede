#include "decode.h"

#include "allocate.h"

enum { LIST_NONE, LIST_LOW8, LIST_PUSH, LIST_POP, LIST_LIST16, LIST_SINGLES, LIST_DOUBLES };
enum { BACK_NEVER, BACK_ALWAYS, BACK_BIT21, BACK_UNLESS_LOADED };
enum {
    OFFSET_NONE,
    OFFSET_IMM7_UP,
    OFFSET_IMM7_DOWN,
    OFFSET_CONST_UP,
    OFFSET_CONST_DOWN,
    OFFSET_IMM12_UP,
    OFFSET_IMM12_DOWN,
    OFFSET_IMM8,
    OFFSET_IMM8_WORDS,
    OFFSET_LIST_UP,
    OFFSET_LIST_DOWN,
};
enum { FIELD_HIGH = 0x80, FIELD_KIND = 0xE0, FIELD_LOW = 0x20, FIELD_FULL = 0x40 };
enum { VD = 1, VN = 2 };
static const uint32_t MOV_PC_LR = 0x46F7;

static uint32_t bits(uint32_t word, int position, int width) {
    return word >> position & ((1u << width) - 1);
}

uint32_t core_register(uint32_t word, uint8_t field) {
    int position = field & 0x1F;
    if (field == FIELD_HIGH) {
        return (word >> 4 & 8) | (word & 7);
    }
    switch (field & FIELD_KIND) {
    case FIELD_LOW:
        return bits(word, position, 3);
    case FIELD_FULL:
        return bits(word, position, 4);
    default:
        return (uint32_t)position;
    }
}

static uint32_t core_mask(uint32_t word, const uint8_t *fields, int count) {
    uint32_t mask = 0;
    for (int i = 0; i < count && fields[i]; ++i) {
        mask |= 1u << core_register(word, fields[i]);
    }
    return mask;
}

/* Register mask over S0 to S31; a double word register covers two, D16 and above none. */
static uint32_t fp_register(uint32_t word, uint8_t field, int is_double) {
    static const uint8_t extra_bit[] = {0, 22, 7, 5};
    static const uint8_t number_position[] = {0, 12, 16, 0};
    uint32_t extra = bits(word, extra_bit[field], 1);
    uint32_t number = bits(word, number_position[field], 4);
    if (is_double) {
        return extra ? 0 : 3u << (2 * number);
    }
    return 1u << (2 * number + extra);
}

static uint32_t fp_mask(uint32_t word, const mcusim_encoding *encoding, const uint8_t *fields, int count) {
    uint32_t mask = 0;
    for (int i = 0; i < count && fields[i]; ++i) {
        if (encoding->kind == KIND_FP_MOVE_PAIR && !(word & 0x100)) {
            uint32_t single = fp_register(word, fields[i], 0);
            mask |= single | single << 1;
        } else {
            mask |= fp_register(word, fields[i], encoding->flags & FLAG_DOUBLE);
        }
    }
    return mask;
}

static uint32_t population(uint32_t mask) {
    uint32_t count = 0;
    for (; mask; mask &= mask - 1) {
        ++count;
    }
    return count;
}

uint32_t register_list(uint32_t word, uint8_t registers, uint32_t *count) {
    uint32_t mask = 0;
    switch (registers) {
    case LIST_LOW8:
        mask = word & 0xFF;
        break;
    case LIST_PUSH:
        mask = (word & 0xFF) | bits(word, 8, 1) << REG_LR;
        break;
    case LIST_POP:
        mask = (word & 0xFF) | bits(word, 8, 1) << REG_PC;
        break;
    case LIST_LIST16:
        mask = word & 0xFFFF;
        break;
    case LIST_SINGLES:
        *count = word & 0xFF;
        return 0;
    case LIST_DOUBLES:
        *count = word & 0xFE;
        return 0;
    default:
        break;
    }
    *count = population(mask);
    return mask;
}

static uint32_t fp_list(uint32_t word, uint8_t registers, uint32_t count) {
    uint32_t first = 2 * bits(word, 12, 4);
    if (registers != LIST_SINGLES && registers != LIST_DOUBLES) {
        return 0;
    }
    if (registers == LIST_SINGLES) {
        first += bits(word, 22, 1);
    }
    uint64_t mask = count >= 32 ? 0xFFFFFFFFu : (1u << count) - 1;
    return (uint32_t)(mask << first);
}

uint32_t plain_immediate(uint32_t word) {
    return (word >> 15 & 0x800) | (word >> 4 & 0x700) | (word & 0xFF);
}

uint32_t expanded_immediate(uint32_t word) {
    uint32_t code = plain_immediate(word);
    uint32_t value = code & 0xFF;
    if (code >> 10 == 0) {
        static const uint32_t spread[] = {0x1, 0x00010001, 0x01000100, 0x01010101};
        return value * spread[code >> 8 & 3];
    }
    uint32_t rotation = code >> 7;
    value = 0x80 | (code & 0x7F);
    return value >> rotation | value << (32 - rotation);
}

/* Whether the encoding tells what it adds to the stack pointer; `delta` receives it. */
static int sp_offset(uint32_t word, uint8_t offset, uint32_t count, int32_t *delta) {
    uint32_t size;
    switch (offset) {
    case OFFSET_IMM7_UP:
    case OFFSET_IMM7_DOWN:
        size = (word & 0x7F) * 4;
        break;
    case OFFSET_CONST_UP:
    case OFFSET_CONST_DOWN:
        size = expanded_immediate(word);
        break;
    case OFFSET_IMM12_UP:
    case OFFSET_IMM12_DOWN:
        size = plain_immediate(word);
        break;
    case OFFSET_IMM8:
        *delta = word & 0x200 ? (int32_t)(word & 0xFF) : -(int32_t)(word & 0xFF);
        return 1;
    case OFFSET_IMM8_WORDS:
        *delta = (word & 0x800000 ? 4 : -4) * (int32_t)(word & 0xFF);
        return 1;
    case OFFSET_LIST_UP:
    case OFFSET_LIST_DOWN:
        size = count * 4;
        break;
    default:
        return 0;
    }
    int down = offset == OFFSET_IMM7_DOWN || offset == OFFSET_CONST_DOWN || offset == OFFSET_IMM12_DOWN ||
               offset == OFFSET_LIST_DOWN;
    *delta = (int32_t)(down ? 0 - size : size);
    return 1;
}

static int16_t written_base(uint32_t word, const mcusim_encoding *encoding, uint32_t listed) {
    if (encoding->write_back == BACK_NEVER || (encoding->write_back == BACK_BIT21 && !bits(word, 21, 1))) {
        return -1;
    }
    uint32_t base = core_register(word, encoding->address[0]);
    if (encoding->write_back == BACK_UNLESS_LOADED && listed >> base & 1) {
        return -1;
    }
    return (int16_t)base;
}

static uint8_t branch_kind(uint32_t word, const mcusim_encoding *encoding, uint32_t writes) {
    if (encoding->branch != BRANCH_NONE || !(writes >> REG_PC & 1)) {
        return encoding->branch;
    }
    if (encoding->address[0]) {
        return core_register(word, encoding->address[0]) == REG_SP ? BRANCH_RETURN : BRANCH_INDIRECT;
    }
    return word == MOV_PC_LR ? BRANCH_RETURN : BRANCH_INDIRECT;
}

static uint16_t flags_of(uint32_t word, const mcusim_encoding *encoding, int in_it) {
    uint16_t flags = encoding->flags & (FLAG_CONDITION | FLAG_SETS_FLAGS | FLAG_SP_DYNAMIC);
    if ((encoding->flags & FLAG_SETS_FLAGS_OUTSIDE_IT && !in_it) ||
        (encoding->flags & FLAG_SETS_FLAGS_BY_S && bits(word, 20, 1))) {
        flags |= FLAG_SETS_FLAGS;
    }
    if (in_it || encoding->flags & FLAG_CONDITION) {
        flags |= FLAG_CONDITIONAL;
    }
    return flags;
}

static void fill_stack_effect(uint32_t word, const mcusim_encoding *encoding, int in_it,
                              mcusim_instruction *out) {
    int32_t delta = 0;
    if (!(out->writes >> REG_SP & 1)) {
        return;
    }
    if (in_it || !sp_offset(word, encoding->offset, out->count, &delta)) {
        out->flags |= FLAG_SP_DYNAMIC;
    } else {
        out->sp_delta = delta;
    }
}

static void build(uint32_t word, const mcusim_encoding *encoding, int in_it, mcusim_instruction *out) {
    uint32_t count = 0;
    uint32_t listed = register_list(word, encoding->registers, &count);
    uint32_t fp_listed = fp_list(word, encoding->registers, count);
    int fp_loads = encoding->kind == KIND_FP_LOAD_MANY;
    out->kind = encoding->kind;
    out->count = (uint8_t)count;
    out->flags = flags_of(word, encoding, in_it);
    out->address_registers = core_mask(word, encoding->address, 2);
    out->writes = core_mask(word, encoding->write, 2) | (encoding->kind == KIND_LOAD_MANY ? listed : 0);
    out->base = written_base(word, encoding, listed);
    if (out->base >= 0) {
        out->writes |= 1u << out->base;
        out->flags |= FLAG_WRITE_BACK;
    }
    if (encoding->kind == KIND_LOAD && out->address_registers >> REG_PC & 1) {
        out->flags |= FLAG_LITERAL;
    }
    out->fp_reads = fp_mask(word, encoding, encoding->fp_read, 3) | (fp_loads ? 0 : fp_listed);
    out->fp_writes = fp_mask(word, encoding, &encoding->fp_write, 1) | (fp_loads ? fp_listed : 0);
    out->branch = branch_kind(word, encoding, out->writes);
    fill_stack_effect(word, encoding, in_it, out);
    if (encoding->kind == KIND_IT) {
        out->it_length = 4;
        for (uint32_t mask = word & 0xF; !(mask & 1); mask >>= 1) {
            --out->it_length;
        }
    }
}

static uint32_t halfword(const uint8_t *code) {
    return (uint32_t)code[0] | (uint32_t)code[1] << 8;
}

void mcusim_decode(const mcusim_timing *timing, const uint8_t *code, uint32_t address, int32_t in_it,
                   mcusim_instruction *instruction) {
    uint32_t word = halfword(code);
    int is_wide = word >> 11 >= 0x1D;
    const mcusim_encoding *table = is_wide ? timing->wide : timing->narrow;
    uint32_t count = is_wide ? timing->wide_count : timing->narrow_count;
    *instruction = (mcusim_instruction){.address = address, .size = is_wide ? 4 : 2, .base = -1};
    if (is_wide) {
        word = word << 16 | halfword(code + 2);
    }
    for (uint32_t i = 0; i < count; ++i) {
        if ((word & table[i].mask) == table[i].value) {
            build(word, &table[i], in_it, instruction);
            return;
        }
    }
}

static void append(instruction_list *list, const mcusim_instruction *instruction) {
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 256;
        list->items = reallocate(list->items, list->capacity, sizeof *list->items);
    }
    list->items[list->count++] = *instruction;
}

void decode_run(const mcusim_timing *timing, const uint8_t *code, uint32_t start, uint32_t size,
                instruction_list *list) {
    int pending = 0;
    list->count = 0;
    for (uint32_t position = 0; position + 2 <= size;) {
        mcusim_instruction instruction;
        uint8_t bytes[4] = {code[position], code[position + 1], 0, 0};
        if (position + 4 <= size) {
            bytes[2] = code[position + 2];
            bytes[3] = code[position + 3];
        }
        mcusim_decode(timing, bytes, start + position, pending > 0, &instruction);
        if (position + instruction.size > size) {
            instruction = (mcusim_instruction){.address = start + position, .size = 4, .base = -1};
        }
        pending = instruction.it_length ? instruction.it_length : pending - (pending > 0);
        append(list, &instruction);
        position += instruction.size;
    }
}
