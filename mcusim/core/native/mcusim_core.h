/* Interface of the native core: plain C structures, loaded from Python without its headers.
 *
 * The core watches a Unicorn engine through one block callback. It cuts execution into linear runs, costs
 * each distinct run once and keeps counts, a call tree, layer records and the deepest stack pointer.
 * Memory that cannot be allocated ends the process. */
#ifndef MCUSIM_CORE_H
#define MCUSIM_CORE_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define MCUSIM_API __declspec(dllexport)
#else
#define MCUSIM_API __attribute__((visibility("default")))
#endif

#define MCUSIM_CORE_ABI 16

enum { MCUSIM_PARAMETERS = 64, MCUSIM_KINDS = 32, MCUSIM_FLASH_STARTS = 2, MCUSIM_FLASH_AHEAD = 16 };

typedef enum {
    STOP_NONE,
    STOP_ENTERED,
    STOP_RETURNED,
    STOP_CYCLES,
    STOP_STACK,
    STOP_UNDECODED,
    STOP_AGAIN,
    STOP_NULL,
    STOP_UNALIGNED,
    STOP_DEADLINE,
} mcusim_stop;

enum { WATCH_STOP = 1, WATCH_LAYER = 2 };

/* A row of the decoder's table; field codes as in mcusim/timing/isa.py, 0 for none. */
typedef struct {
    uint32_t mask;
    uint32_t value;
    uint16_t flags;
    uint8_t kind;
    uint8_t address[2];
    uint8_t write[2];
    uint8_t fp_read[3];
    uint8_t fp_write;
    uint8_t registers;
    uint8_t write_back;
    uint8_t offset;
    uint8_t branch;
} mcusim_encoding;

/* A timing model: the encodings, the rules' cycles, and the fetch variant. */
typedef struct {
    const mcusim_encoding *narrow;
    const mcusim_encoding *wide;
    uint32_t narrow_count;
    uint32_t wide_count;
    int32_t parameters[MCUSIM_PARAMETERS];
    uint8_t kind_cycles[MCUSIM_KINDS];      /* parameter of the fixed part */
    uint8_t kind_word_cycles[MCUSIM_KINDS]; /* parameter of the part per word moved */
    int32_t fetch_words;
    int32_t fetch_free_delay;
    int32_t fetch_sticky;
    int32_t fetch_blocked;
} mcusim_timing;

/* A row of the table of memory accesses; see mcusim/timing/addressing.py. */
typedef struct {
    uint32_t mask;
    uint32_t value;
    uint8_t store;
    uint8_t unit;
    uint8_t form;
    uint8_t base;
    uint8_t index;
    uint8_t targets[2];
    uint8_t count;
    uint8_t registers;
    uint8_t is_signed;
    uint8_t exclusive;
    uint8_t aligned;
} mcusim_access_encoding;

typedef struct {
    const mcusim_access_encoding *narrow;
    const mcusim_access_encoding *wide;
    uint32_t narrow_count;
    uint32_t wide_count;
} mcusim_access_table;

typedef struct {
    uint8_t *data;
    uint32_t start;
    uint32_t size;
} mcusim_region;

/* Memory of the chip for the address tracker: `data` appears at `start`. Tracked banks are SRAM and come
 * first; their bytes are numbered from `first` on, the same for every alias. */
typedef struct {
    uint8_t *data;
    uint32_t start;
    uint32_t size;
    uint32_t first;
    uint32_t is_tracked;
} mcusim_bank;

typedef struct {
    uint32_t start;
    uint32_t end;
    uint32_t watch;
} mcusim_function;

/* Memory [start, end) that may be a stack. */
typedef struct {
    uint32_t start;
    uint32_t end;
} mcusim_area;

/* Lines in sets of `ways`; without sets only the present line is at hand. */
typedef struct {
    uint32_t sets;
    uint32_t ways;
    uint32_t line_bytes;
} mcusim_cache;

/* Flash of `size` bytes that appears at every one of `starts`, which may be the same. */
typedef struct {
    uint32_t starts[MCUSIM_FLASH_STARTS];
    uint32_t size;
    uint32_t wait_states;
    mcusim_cache code;
    mcusim_cache data;
    uint32_t prefetch;
    uint32_t runs_ahead;
} mcusim_flash;

/* The emulator and the functions of its library that the core calls. */
typedef struct {
    void *engine;
    int (*hook_add)(void *engine, size_t *hook, int kind, void *callback, void *user, uint64_t begin,
                    uint64_t end, ...);
    int (*hook_del)(void *engine, size_t hook);
    int (*emu_stop)(void *engine);
    int (*reg_read)(void *engine, int reg, void *value);
    int (*control)(void *engine, int code, ...);
    const uint32_t *registers;  /* where the emulator keeps R0 to R15, NULL if that is not known */
    int32_t core_registers[15]; /* names of R0 to R14 */
    int32_t status_register;
    int32_t control_register;
    int32_t process_stack_register;
    int32_t block_hook_kind;
    int32_t code_hook_kind;
    int32_t forget_code; /* control code that drops what was translated of an address range */
    int32_t stack_pointer_register;
} mcusim_emulator;

typedef struct {
    mcusim_emulator emulator;
    const mcusim_timing *timing;
    mcusim_flash flash;
    const mcusim_flash *surveyed; /* whose reads are counted beside, at no cost in cycles */
    const mcusim_access_table *accesses;
    const mcusim_bank *banks; /* none: accesses are not tracked */
    const mcusim_region *code;
    const mcusim_region *sram;        /* parts whose high-water marks are told apart */
    const mcusim_function *functions; /* sorted by start */
    const mcusim_area *areas;         /* sorted, without overlap */
    uint32_t area_count;
    uint32_t surveyed_count;
    uint32_t bank_count;
    uint32_t tracked_bytes;
    uint32_t code_count;
    uint32_t sram_count;
    uint32_t function_count;
    uint32_t stack_limit;
    uint32_t hash_accesses;
    uint32_t null_end; /* accesses below are through a null pointer, and stop if `null_stops` */
    uint32_t null_stops;
    uint64_t cycle_limit;
} mcusim_spec;

typedef struct {
    uint64_t count;
    uint32_t start;
    uint32_t end;
    uint32_t next;
    int32_t node;
    uint32_t outcome;
    uint32_t unused;
} mcusim_run_count;

typedef struct {
    uint64_t calls;
    uint64_t cycles;
    uint64_t instructions;
    uint32_t function;
    int32_t parent;
} mcusim_call_node;

typedef struct {
    uint64_t calls;
    uint64_t cycles;
    uint64_t instructions;
    uint64_t touched_bytes;
    uint32_t function;
    uint32_t stack_bytes;
    uint32_t live_peak_bytes;
    uint32_t unused;
    uint64_t unread_bytes;
} mcusim_layer_record;

/* An instruction that read what it should not: how often, and the first address. */
typedef struct {
    uint64_t count;
    uint32_t pc;
    uint32_t address;
} mcusim_stray_read;

/* Cycles that an instruction took beyond those of its runs. */
typedef struct {
    uint64_t cycles;
    uint32_t pc;
    uint32_t unused;
} mcusim_wait;

typedef struct {
    uint64_t cycles;
    uint64_t instructions;
    uint32_t runs;
    uint32_t nodes;
    uint32_t layers;
    uint32_t stacks;
    int32_t current_node; /* -1: nothing has begun */
} mcusim_totals;

/* See StackRecord in mcusim/core/interface.py; `area` is the index of an area, -1 for none. */
typedef struct {
    uint32_t top;
    uint32_t lowest;
    uint32_t limit;
    int32_t node;
    int32_t area;
    uint32_t is_process;
} mcusim_stack_record;

/* See MemoryCount in mcusim/core/interface.py; `unwritten`, `null_reads` and `waits`
 * are numbers of rows. */
typedef struct {
    uint64_t touched_bytes;
    uint64_t unread_bytes;
    uint64_t lost_accesses;
    uint64_t stream_hash;
    uint32_t live_peak_bytes;
    uint32_t heap_live_peak_bytes;
    uint32_t unused;
    uint32_t unwritten;
    uint32_t null_reads;
    uint32_t waits;
} mcusim_memory_count;

/* See MemoryMap in mcusim/core/interface.py; `width` is cycles of a column. */
typedef struct {
    uint64_t width;
    uint32_t columns;
    uint32_t rows;
    uint32_t row_bytes;
    uint32_t unused;
} mcusim_memory_map;

typedef struct {
    uint32_t stop;
    uint32_t address;
    uint32_t instruction;
} mcusim_stop_state;

/* What the decoder tells of one instruction; see mcusim/timing/decode.py. */
typedef struct {
    uint32_t address;
    uint32_t address_registers;
    uint32_t writes;
    uint32_t fp_reads;
    uint32_t fp_writes;
    int32_t sp_delta;
    int16_t base;
    uint16_t flags;
    uint8_t size;
    uint8_t kind;
    uint8_t count;
    uint8_t branch;
    uint8_t it_length;
    uint8_t outcome; /* of a division, 0 if it is not known; see mcusim/timing/outcomes.py */
} mcusim_instruction;

typedef struct {
    uint32_t address;
    uint32_t cycles;
} mcusim_instruction_cost;

typedef struct mcusim_core mcusim_core;

MCUSIM_API uint32_t mcusim_core_abi(void);

/* NULL if the emulator refuses the callback. The tables and memory of `spec` must outlive the core. */
MCUSIM_API mcusim_core *mcusim_core_new(const mcusim_spec *spec);
MCUSIM_API void mcusim_core_free(mcusim_core *core);

MCUSIM_API void mcusim_core_begin(mcusim_core *core, uint32_t address, uint32_t stack_pointer,
                                  uint32_t return_address, int32_t measure);
MCUSIM_API void mcusim_core_resume(mcusim_core *core);
MCUSIM_API void mcusim_core_pause(mcusim_core *core, uint32_t pc);
MCUSIM_API void mcusim_core_note(mcusim_core *core, uint32_t pc, uint32_t address, uint32_t size,
                                 int32_t store);
MCUSIM_API void mcusim_core_set_heap(mcusim_core *core, uint32_t start, uint32_t end);
/* Stop at the first end of a run at `cycles` or later, at the next block if that is over; again until another
 * deadline is set. */
MCUSIM_API void mcusim_core_set_deadline(mcusim_core *core, uint64_t cycles);
MCUSIM_API void mcusim_core_set_stack_limit(mcusim_core *core, uint32_t limit);
MCUSIM_API void mcusim_core_trap_unaligned(mcusim_core *core, int32_t traps);
MCUSIM_API void mcusim_core_jump(mcusim_core *core, uint32_t address, uint64_t cycles);
MCUSIM_API void mcusim_core_finish(mcusim_core *core, uint32_t end);
MCUSIM_API uint64_t mcusim_core_cycles(mcusim_core *core);
MCUSIM_API uint64_t mcusim_core_cycles_at(mcusim_core *core, uint32_t address);
MCUSIM_API void mcusim_core_block(const mcusim_core *core, uint32_t *start, uint32_t *end);
MCUSIM_API void mcusim_core_stop_state(const mcusim_core *core, mcusim_stop_state *state);

/* The first two tell the sizes of the copies below. The memory count brings the layers' records of memory up
 * to date. */
MCUSIM_API void mcusim_core_totals(mcusim_core *core, mcusim_totals *totals);
MCUSIM_API void mcusim_core_memory(mcusim_core *core, mcusim_memory_count *memory);
MCUSIM_API void mcusim_core_runs(const mcusim_core *core, mcusim_run_count *runs);
MCUSIM_API void mcusim_core_nodes(const mcusim_core *core, mcusim_call_node *nodes);
MCUSIM_API void mcusim_core_stacks(const mcusim_core *core, mcusim_stack_record *stacks);
MCUSIM_API void mcusim_core_layers(const mcusim_core *core, mcusim_layer_record *layers);
MCUSIM_API void mcusim_core_high_water(const mcusim_core *core, uint32_t *bytes);

/* The most live bytes in each region of SRAM, and in each column of the map, as of the last memory count. */
MCUSIM_API void mcusim_core_live_peaks(const mcusim_core *core, uint32_t *regions, uint32_t *columns);
MCUSIM_API void mcusim_core_unwritten(const mcusim_core *core, mcusim_stray_read *reads);
MCUSIM_API void mcusim_core_null_reads(const mcusim_core *core, mcusim_stray_read *reads);
MCUSIM_API void mcusim_core_waits(const mcusim_core *core, mcusim_wait *waits);

/* Reads of the surveyed flash number `flash`: for every node MCUSIM_FLASH_AHEAD counts, see
 * FlashUnit.missing_lines in mcusim/timing/flash.py. */
MCUSIM_API void mcusim_core_flash_reads(const mcusim_core *core, uint32_t flash, uint64_t *reads);

/* The map up to now; then the numbers of its rows, and row by row who wrote last (0: nobody in that column,
 * 1: code outside all layers, 2 + record of a layer) and which 64ths of the row were alive. */
MCUSIM_API void mcusim_core_map(mcusim_core *core, mcusim_memory_map *map);
MCUSIM_API void mcusim_core_map_rows(const mcusim_core *core, uint32_t *rows, int16_t *owners,
                                     uint64_t *alive);

/* Without an emulator: decode the instruction at the start of `code` (4 bytes), cost a whole run in passes of
 * one outcome (see mcusim/timing/outcomes.py). */
MCUSIM_API void mcusim_decode(const mcusim_timing *timing, const uint8_t *code, uint32_t address,
                              int32_t in_it, mcusim_instruction *instruction);
MCUSIM_API uint64_t mcusim_cost(const mcusim_timing *timing, const uint8_t *code, uint32_t start,
                                uint32_t size, int32_t taken, uint32_t outcome);
/* The same for each instruction; `costs` has room for one every two bytes. Returns how many there are. */
MCUSIM_API uint32_t mcusim_cost_each(const mcusim_timing *timing, const uint8_t *code, uint32_t start,
                                     uint32_t size, int32_t taken, uint32_t outcome,
                                     mcusim_instruction_cost *costs);

#endif
