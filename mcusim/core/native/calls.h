/* Shadow call stack, call tree and layer records. */
#ifndef MCUSIM_CALLS_H
#define MCUSIM_CALLS_H

#include "access.h"

enum { MAXIMUM_DEPTH = 1 << 16, MAXIMUM_STACKS = 64 };

/* Where execution is, as far as the call tree needs to know. */
typedef struct {
    uint64_t cycles;
    uint64_t instructions;
    uint32_t sp;
} moment;

typedef struct {
    uint32_t function;
    int32_t parent;
    int32_t first_child;
    int32_t sibling;
    uint64_t calls;
    uint64_t cycles;
    uint64_t instructions;
} call_node;

typedef struct {
    uint32_t return_address;
    int32_t node;
    int32_t layer; /* -1 for none */
    uint32_t function;
    uint8_t stops;
    uint8_t is_tail; /* shares the return address of the frame below */
    uint8_t is_exception;
    uint32_t outer_lowest;
    moment entry;
} call_frame;

typedef struct {
    uint32_t function;
    uint64_t calls;
    uint64_t cycles;
    uint64_t instructions;
    uint32_t stack_bytes;
    byte_set touched;
} layer_record;

/* A stack, and what is being called on it. The first one is that of reset. */
typedef struct {
    call_frame *frames;
    uint32_t depth;
    uint32_t capacity;
    uint32_t top;
    uint32_t deepest;     /* lowest stack pointer seen */
    int32_t deepest_node; /* where that was */
    uint32_t limit;       /* lowest address that it may use, 0 if that is not known */
    uint32_t lowest;      /* lowest stack pointer since the innermost open layer was entered on it */
    uint32_t left_at;     /* stack pointer when another one was taken */
    int32_t area;         /* index of the area that it lies in, -1 for none */
    uint8_t is_process;   /* its pointer is PSP */
    uint8_t is_fresh;     /* its frames are those of where it was taken up, and may go on there or not */
} call_stack;

/* A change of the stack pointer: both as they are right at the write. */
typedef struct {
    uint32_t from;
    uint32_t to;
    uint8_t is_process; /* behind it */
    uint8_t is_named;   /* by an instruction that names a stack pointer: MSR */
} stack_change;

typedef struct {
    const mcusim_spec *spec;
    access_tracker *memory;
    call_stack stacks[MAXIMUM_STACKS];
    uint32_t stack_count;
    call_stack *stack; /* the present one */
    call_node *nodes;
    uint32_t node_count;
    uint32_t node_capacity;
    int32_t first_root;
    int32_t current;
    moment since; /* when `current` became the current node */
    layer_record *layers;
    int32_t *layer_of; /* by function index, -1 for none */
    uint32_t layer_count;
} call_state;

void calls_init(call_state *calls, const mcusim_spec *spec, access_tracker *memory);
void calls_free(call_state *calls);
/* `stack_pointer` is that of reset. */
void calls_reset(call_state *calls, uint32_t stack_pointer);

/* Enter the function at `address` (index `function`, -1 if none starts there). */
void calls_enter(call_state *calls, uint32_t address, int32_t function, uint32_t return_address, moment now);

/* Branch to a function's start that keeps the return address of the present one. */
void calls_tail(call_state *calls, uint32_t address, int32_t function, moment now);

/* Return to `address` if it is the innermost return address; `stopped` receives the start of the
 * outermost function left that stops. */
int calls_return(call_state *calls, uint32_t address, moment now, uint32_t *stopped);

/* Leave frames until one with this return address is left; nothing if there is none. */
int calls_unwind(call_state *calls, uint32_t address, moment now, uint32_t *stopped);

/* The stack pointer was written; another stack may be the present one from now on. */
void calls_change_stack(call_state *calls, const stack_change *change, moment now);

/* The shadow call stack of a stack that was taken up where it is goes on there after all, or begins at a
 * function of its own. */
void calls_keep_frames(call_state *calls);
void calls_drop_frames(call_state *calls);

/* The exception that was entered last on the present stack, NULL if there is none. */
const call_frame *calls_exception(const call_state *calls);

/* Leave the exception that was entered last on the present stack; 0 if there is none. */
int calls_leave_exception(call_state *calls, moment now, uint32_t *stopped);

/* Credit the current node with what happened since it became current. */
void calls_settle(call_state *calls, moment now);

/* Credit the open layers with the bytes touched so far. */
void calls_credit_memory(call_state *calls);

#endif
