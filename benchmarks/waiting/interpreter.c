/* A stack machine with tagged values, as interpreters of dynamic languages have: every operation goes through
 * a table to a function of its own that checks the types of its operands, looks names up and counts
 * references. COPIES of its operations run in turn, so that the hot code is larger than the caches between
 * flash and core. */
#include "counted.h"

#define HANDLER __attribute__((noinline)) static

enum { CELLS = 256, STACK = 32, NAMES = 16, PASSES = 400, COPIES = 8 };
enum { CONSTANT, LOAD, STORE, ADD, MULTIPLY, LESS, BOX, JUMP_IF, STOP };
enum { TAG_INT, TAG_REF, TAG_FLOAT };

typedef struct {
    uint32_t tag;
    int32_t value;
} object;

typedef struct {
    uint32_t references;
    object content;
} cell;

typedef struct {
    object stack[STACK];
    uint32_t depth;
    const uint8_t *code;
    uint32_t at;
    uint32_t checks;
} machine;

static cell cells[CELLS];
static uint32_t next_cell;
static struct {
    uint32_t hash;
    object bound;
} names[NAMES];

#define COPY 0
#include "interpreter_copy.h"
#define COPY 1
#include "interpreter_copy.h"
#define COPY 2
#include "interpreter_copy.h"
#define COPY 3
#include "interpreter_copy.h"
#define COPY 4
#include "interpreter_copy.h"
#define COPY 5
#include "interpreter_copy.h"
#define COPY 6
#include "interpreter_copy.h"
#define COPY 7
#include "interpreter_copy.h"

typedef void (*operation)(machine *);
static const operation *const copies[COPIES] = {operations_0, operations_1, operations_2, operations_3,
                                                operations_4, operations_5, operations_6, operations_7};

/* x = box(x * 3 + i); i = i + 1; i < 100 */
static const uint8_t program[] = {CONSTANT, 1,        JUMP_IF, 0,       LOAD,  'x',   CONSTANT, 3,
                                  MULTIPLY, LOAD,     'i',     ADD,     BOX,   STORE, 'x',      LOAD,
                                  'i',      CONSTANT, 1,       ADD,     STORE, 'i',   LOAD,     'i',
                                  CONSTANT, 100,      LESS,    JUMP_IF, 0,     STOP};

int main(void) {
    machine m = {.code = program};
    start_counter();
    uint32_t before = DWT_CYCCNT;
    for (uint32_t pass = 0; pass < PASSES; ++pass) {
        const operation *operations = copies[pass % COPIES];
        m.at = 0;
        while (program[m.at] != STOP) {
            uint8_t code = program[m.at++];
            operations[code](&m);
        }
    }
    report_cycles(DWT_CYCCNT - before);
    return m.depth != 0;
}
