#include "affine.h"

#include "decode.h"

affine affine_constant(uint32_t constant) {
    return (affine){.constant = constant};
}

affine affine_source(uint16_t source) {
    return (affine){.factor = {1}, .source = {source}, .terms = 1};
}

static void remove_term(affine *sum, int term) {
    for (int i = term; i + 1 < sum->terms; ++i) {
        sum->factor[i] = sum->factor[i + 1];
        sum->source[i] = sum->source[i + 1];
    }
    --sum->terms;
    sum->factor[sum->terms] = sum->source[sum->terms] = 0;
}

static int add_term(affine *sum, uint16_t source, uint32_t factor) {
    int position = 0;
    while (position < sum->terms && sum->source[position] < source) {
        ++position;
    }
    if (position < sum->terms && sum->source[position] == source) {
        sum->factor[position] += factor;
        if (!sum->factor[position]) {
            remove_term(sum, position);
        }
        return 1;
    }
    if (sum->terms == MAXIMUM_TERMS) {
        return 0;
    }
    for (int i = sum->terms++; i > position; --i) {
        sum->factor[i] = sum->factor[i - 1];
        sum->source[i] = sum->source[i - 1];
    }
    sum->factor[position] = factor;
    sum->source[position] = source;
    return 1;
}

int affine_add(affine *sum, const affine *other, uint32_t factor) {
    sum->constant += factor * other->constant;
    for (int i = 0; i < other->terms; ++i) {
        uint32_t product = factor * other->factor[i];
        if (product && !add_term(sum, other->source[i], product)) {
            return 0;
        }
    }
    return 1;
}

int affine_difference(const affine *a, const affine *b, int32_t *difference) {
    affine result = *a;
    if (!affine_add(&result, b, UINT32_MAX) || result.terms) {
        return 0;
    }
    *difference = (int32_t)result.constant;
    return 1;
}

/* What the second operand of an effect is. */
enum {
    NOTHING,
    REGISTER,
    SHIFTED,
    IMM3,
    IMM8,
    IMM8_WORDS,
    IMM7_WORDS,
    IMM5_SHIFTED,
    EXPANDED,
    PLAIN12,
    IMM16,
    TOP_HALF,
    PRODUCT,
};

/* target = first * first_sign + second * second_sign. Registers by field code, 0 for none. */
typedef struct {
    uint32_t mask;
    uint32_t value;
    uint8_t target;
    uint8_t first;
    uint8_t second; /* register of the second operand */
    uint8_t kind;   /* of the second operand */
    int8_t first_sign;
    int8_t second_sign;
} effect_row;

#define LOW(position) (0x20 | (position))
#define FULL(position) (0x40 | (position))
#define FIXED(reg) (0x60 | (reg))
#define HIGH 0x80

static const effect_row narrow_rows[] = {
    {0xF800, 0x0000, LOW(0), 0, LOW(3), IMM5_SHIFTED, 0, 1},
    {0xFE00, 0x1800, LOW(0), LOW(3), LOW(6), REGISTER, 1, 1},
    {0xFE00, 0x1A00, LOW(0), LOW(3), LOW(6), REGISTER, 1, -1},
    {0xFE00, 0x1C00, LOW(0), LOW(3), 0, IMM3, 1, 1},
    {0xFE00, 0x1E00, LOW(0), LOW(3), 0, IMM3, 1, -1},
    {0xF800, 0x2000, LOW(8), 0, 0, IMM8, 0, 1},
    {0xF800, 0x3000, LOW(8), LOW(8), 0, IMM8, 1, 1},
    {0xF800, 0x3800, LOW(8), LOW(8), 0, IMM8, 1, -1},
    {0xFFC0, 0x4240, LOW(0), LOW(3), 0, NOTHING, -1, 0},
    {0xFFC0, 0x4340, LOW(0), LOW(0), LOW(3), PRODUCT, 0, 1},
    {0xFF00, 0x4400, HIGH, HIGH, FULL(3), REGISTER, 1, 1},
    {0xFF00, 0x4600, HIGH, 0, FULL(3), REGISTER, 0, 1},
    {0xF800, 0xA000, LOW(8), FIXED(15), 0, IMM8_WORDS, 1, 1},
    {0xF800, 0xA800, LOW(8), FIXED(13), 0, IMM8_WORDS, 1, 1},
    {0xFF80, 0xB000, FIXED(13), FIXED(13), 0, IMM7_WORDS, 1, 1},
    {0xFF80, 0xB080, FIXED(13), FIXED(13), 0, IMM7_WORDS, 1, -1},
};

static const effect_row wide_rows[] = {
    {0xFFEF8000, 0xEA4F0000, FULL(8), 0, FULL(0), SHIFTED, 0, 1},
    {0xFFE08000, 0xEB000000, FULL(8), FULL(16), FULL(0), SHIFTED, 1, 1},
    {0xFFE08000, 0xEBA00000, FULL(8), FULL(16), FULL(0), SHIFTED, 1, -1},
    {0xFFE08000, 0xEBC00000, FULL(8), FULL(16), FULL(0), SHIFTED, -1, 1},
    {0xFBEF8000, 0xF04F0000, FULL(8), 0, 0, EXPANDED, 0, 1},
    {0xFBE08000, 0xF1000000, FULL(8), FULL(16), 0, EXPANDED, 1, 1},
    {0xFBE08000, 0xF1A00000, FULL(8), FULL(16), 0, EXPANDED, 1, -1},
    {0xFBE08000, 0xF1C00000, FULL(8), FULL(16), 0, EXPANDED, -1, 1},
    {0xFBF08000, 0xF2000000, FULL(8), FULL(16), 0, PLAIN12, 1, 1},
    {0xFBF08000, 0xF2A00000, FULL(8), FULL(16), 0, PLAIN12, 1, -1},
    {0xFBF08000, 0xF2400000, FULL(8), 0, 0, IMM16, 0, 1},
    {0xFBF08000, 0xF2C00000, FULL(8), FULL(8), 0, TOP_HALF, 1, 1},
    {0xFFF0F0F0, 0xFB00F000, FULL(8), FULL(16), FULL(0), PRODUCT, 0, 1},
};

/* The program counter is word-aligned where an immediate is added to it. */
static affine operand_value(uint32_t reg, const effect_row *row, uint32_t address, const affine *registers) {
    uint32_t mask = row->second ? ~0u : ~3u;
    return reg == REG_PC ? affine_constant((address + 4) & mask) : registers[reg];
}

static uint32_t immediate(uint32_t word, uint8_t kind) {
    switch (kind) {
    case IMM3:
        return word >> 6 & 7;
    case IMM8:
        return word & 0xFF;
    case IMM8_WORDS:
        return (word & 0xFF) * 4;
    case IMM7_WORDS:
        return (word & 0x7F) * 4;
    case EXPANDED:
        return expanded_immediate(word);
    case PLAIN12:
        return plain_immediate(word);
    case IMM16:
    case TOP_HALF:
        return (word >> 4 & 0xF000) | plain_immediate(word);
    default:
        return 0;
    }
}

/* Left shift of the second operand, -1 if it is shifted in another way. */
static int shift_of(uint32_t word, uint8_t kind) {
    if (kind == IMM5_SHIFTED) {
        return (int)(word >> 6 & 31);
    }
    if (kind == SHIFTED) {
        return word >> 4 & 3 ? -1 : (int)((word >> 10 & 0x1C) | (word >> 6 & 3));
    }
    return 0;
}

static int multiply(affine *product, const affine *a, const affine *b) {
    if (a->terms && b->terms) {
        return 0;
    }
    const affine *constant = a->terms ? b : a;
    *product = affine_constant(0);
    return affine_add(product, a->terms ? a : b, constant->constant);
}

static int second_operand(uint32_t word, const effect_row *row, uint32_t address, const affine *registers,
                          affine *value) {
    if (!row->second) {
        *value = affine_constant(immediate(word, row->kind));
        return 1;
    }
    affine operand = operand_value(core_register(word, row->second), row, address, registers);
    if (row->kind == PRODUCT) {
        affine other = operand_value(core_register(word, row->first), row, address, registers);
        return multiply(value, &operand, &other);
    }
    int shift = shift_of(word, row->kind);
    *value = affine_constant(0);
    return shift >= 0 && affine_add(value, &operand, 1u << shift);
}

static int apply(uint32_t word, const effect_row *row, uint32_t address, const affine *registers,
                 affine *result) {
    affine second;
    *result = affine_constant(0);
    if (!second_operand(word, row, address, registers, &second)) {
        return 0;
    }
    affine first = affine_constant(0);
    if (row->first) {
        first = operand_value(core_register(word, row->first), row, address, registers);
    }
    if (row->kind == TOP_HALF) {
        *result = affine_constant((first.constant & 0xFFFF) | second.constant << 16);
        return !first.terms;
    }
    return affine_add(result, &first, (uint32_t)(int32_t)row->first_sign) &&
           affine_add(result, &second, (uint32_t)(int32_t)row->second_sign);
}

register_effect affine_effect(uint32_t word, int is_wide, uint32_t address, const affine *registers) {
    const effect_row *rows = is_wide ? wide_rows : narrow_rows;
    size_t count = is_wide ? sizeof wide_rows / sizeof *rows : sizeof narrow_rows / sizeof *rows;
    register_effect effect = {.target = -1};
    for (size_t i = 0; i < count; ++i) {
        if ((word & rows[i].mask) == rows[i].value) {
            if (apply(word, &rows[i], address, registers, &effect.value)) {
                effect.target = (int8_t)core_register(word, rows[i].target);
            }
            break;
        }
    }
    return effect;
}
