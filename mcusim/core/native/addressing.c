#include "addressing.h"

#include "decode.h"

enum {
    FORM_BASE,
    FORM_INDEX,
    FORM_INDEX_SHIFTED,
    FORM_INDEX_DOUBLED,
    FORM_IMM5,
    FORM_IMM8_WORDS,
    FORM_IMM12,
    FORM_IMM12_SIGNED,
    FORM_IMM8_MODES,
    FORM_WORDS_MODES,
    FORM_LIST_UP,
    FORM_LIST_DOWN,
    FORM_LIST_UP_WRITTEN,
    FORM_LIST_DOWN_WRITTEN,
};

static uint32_t bit(uint32_t word, int position) {
    return word >> position & 1;
}

static void set_modes(memory_access *access, uint32_t offset, uint32_t before, uint32_t up, uint32_t back) {
    int32_t moved = up ? (int32_t)offset : -(int32_t)offset;
    access->offset = before ? moved : 0;
    access->write_back = back || !before ? moved : 0;
}

static void set_offsets(uint32_t word, uint8_t form, memory_access *access) {
    uint32_t imm8 = word & 0xFF;
    int32_t imm12 = (int32_t)(word & 0xFFF);
    int32_t size = access->unit * access->count;
    switch (form) {
    case FORM_IMM5:
        access->offset = (int32_t)(word >> 6 & 31) * access->unit;
        break;
    case FORM_IMM8_WORDS:
        access->offset = (int32_t)imm8 * 4;
        break;
    case FORM_IMM12:
        access->offset = imm12;
        break;
    case FORM_IMM12_SIGNED:
        access->offset = bit(word, 23) ? imm12 : -imm12;
        break;
    case FORM_IMM8_MODES:
        set_modes(access, imm8, bit(word, 10), bit(word, 9), bit(word, 8));
        break;
    case FORM_WORDS_MODES:
        set_modes(access, imm8 * 4, bit(word, 24), bit(word, 23), bit(word, 21));
        break;
    case FORM_LIST_UP:
        access->write_back = bit(word, 21) ? size : 0;
        break;
    case FORM_LIST_DOWN:
        access->offset = -size;
        access->write_back = bit(word, 21) ? -size : 0;
        break;
    case FORM_LIST_UP_WRITTEN:
        access->write_back = size;
        break;
    case FORM_LIST_DOWN_WRITTEN:
        access->offset = access->write_back = -size;
        break;
    default:
        break;
    }
}

static void add_target(memory_access *access, uint32_t target) {
    if (access->target_count < MAXIMUM_TARGETS) {
        access->targets[access->target_count++] = (uint8_t)target;
    }
}

static int is_target(const memory_access *access, int8_t reg) {
    for (int i = 0; i < access->target_count; ++i) {
        if (access->targets[i] == reg) {
            return 1;
        }
    }
    return 0;
}

static void set_targets(uint32_t word, const mcusim_access_encoding *row, uint32_t listed,
                        memory_access *access) {
    for (int i = 0; i < 2 && row->targets[i]; ++i) {
        uint32_t target = core_register(word, row->targets[i]);
        if (row->exclusive) {
            access->status = (int8_t)target;
        } else {
            add_target(access, target);
        }
    }
    for (uint32_t target = 0; target < 16 && !access->store; ++target) {
        if (listed >> target & 1) {
            add_target(access, target);
        }
    }
}

static int build(uint32_t word, const mcusim_access_encoding *row, memory_access *access) {
    uint32_t count = row->count;
    uint32_t listed = row->registers ? register_list(word, row->registers, &count) : 0;
    *access = (memory_access){
        .store = row->store,
        .unit = row->unit,
        .count = (uint8_t)count,
        .is_signed = row->is_signed,
        .aligned = row->aligned,
        .base = (int8_t)core_register(word, row->base),
        .index = row->index ? (int8_t)core_register(word, row->index) : -1,
        .status = -1,
    };
    if (row->form == FORM_INDEX_SHIFTED) {
        access->shift = word >> 4 & 3;
    } else if (row->form == FORM_INDEX_DOUBLED) {
        access->shift = 1;
    }
    set_targets(word, row, listed, access);
    set_offsets(word, row->form, access);
    if (is_target(access, access->base)) {
        access->write_back = 0;
    }
    int is_hint = !row->store && row->unit < 4 && is_target(access, REG_PC);
    return !is_hint && count > 0;
}

int decode_access(const mcusim_access_table *table, uint32_t word, int is_wide, memory_access *access) {
    const mcusim_access_encoding *rows = is_wide ? table->wide : table->narrow;
    uint32_t count = is_wide ? table->wide_count : table->narrow_count;
    for (uint32_t i = 0; i < count; ++i) {
        if ((word & rows[i].mask) == rows[i].value) {
            return build(word, &rows[i], access);
        }
    }
    return 0;
}
