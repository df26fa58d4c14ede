/* One copy of the operations of interpreter.c; COPY is its number. */
#define PASTED(name, copy) name##_##copy
#define NAME_OF(name, copy) PASTED(name, copy)
#define retain NAME_OF(retain, COPY)
#define release NAME_OF(release, COPY)
#define box NAME_OF(box, COPY)
#define unbox NAME_OF(unbox, COPY)
#define push NAME_OF(push, COPY)
#define pop NAME_OF(pop, COPY)
#define find NAME_OF(find, COPY)
#define op_constant NAME_OF(op_constant, COPY)
#define op_load NAME_OF(op_load, COPY)
#define op_store NAME_OF(op_store, COPY)
#define op_add NAME_OF(op_add, COPY)
#define op_multiply NAME_OF(op_multiply, COPY)
#define op_less NAME_OF(op_less, COPY)
#define op_box NAME_OF(op_box, COPY)
#define op_jump_if NAME_OF(op_jump_if, COPY)
#define operations NAME_OF(operations, COPY)

HANDLER void retain(object value) {
    if (value.tag == TAG_REF) {
        ++cells[value.value].references;
    }
}

HANDLER void release(object value) {
    if (value.tag == TAG_REF && cells[value.value].references) {
        --cells[value.value].references;
    }
}

HANDLER object box(object value) {
    for (uint32_t tries = 0; tries < CELLS; ++tries) {
        uint32_t index = next_cell++ % CELLS;
        if (!cells[index].references) {
            cells[index] = (cell){0, value};
            return (object){TAG_REF, (int32_t)index};
        }
    }
    return value;
}

HANDLER object unbox(object value) {
    while (value.tag == TAG_REF) {
        value = cells[value.value].content;
    }
    return value;
}

HANDLER void push(machine *m, object value) {
    retain(value);
    m->stack[m->depth++ % STACK] = value;
}

HANDLER object pop(machine *m) {
    object value = m->stack[--m->depth % STACK];
    release(value);
    return value;
}

HANDLER uint32_t find(uint32_t hash) {
    uint32_t slot = (hash * 0x9E3779B1u) >> 28;
    while (names[slot].hash && names[slot].hash != hash) {
        slot = (slot + 1) % NAMES;
    }
    names[slot].hash = hash;
    return slot;
}

HANDLER void op_constant(machine *m) {
    push(m, (object){TAG_INT, (int8_t)m->code[m->at++]});
}

HANDLER void op_load(machine *m) {
    push(m, names[find(m->code[m->at++])].bound);
}

HANDLER void op_store(machine *m) {
    uint32_t slot = find(m->code[m->at++]);
    object old = names[slot].bound;
    object value = pop(m);
    retain(value);
    names[slot].bound = value;
    release(old);
}

HANDLER void op_add(machine *m) {
    object b = unbox(pop(m));
    object a = unbox(pop(m));
    int64_t sum = (int64_t)a.value + b.value;
    if (a.tag == TAG_FLOAT || b.tag == TAG_FLOAT || sum != (int32_t)sum) {
        ++m->checks;
        sum &= INT32_MAX;
    }
    push(m, (object){TAG_INT, (int32_t)sum});
}

HANDLER void op_multiply(machine *m) {
    object b = unbox(pop(m));
    object a = unbox(pop(m));
    int64_t product = (int64_t)a.value * b.value;
    if (product != (int32_t)product) {
        ++m->checks;
        product = (uint32_t)product % 1000003u;
    }
    push(m, (object){TAG_INT, (int32_t)product});
}

HANDLER void op_less(machine *m) {
    object b = unbox(pop(m));
    object a = unbox(pop(m));
    if (a.tag != b.tag) {
        ++m->checks;
        a.value = (int32_t)a.tag;
        b.value = (int32_t)b.tag;
    }
    push(m, (object){TAG_INT, a.value < b.value});
}

HANDLER void op_box(machine *m) {
    object value = unbox(pop(m));
    push(m, box(value));
}

HANDLER void op_jump_if(machine *m) {
    int8_t distance = (int8_t)m->code[m->at++];
    if (unbox(pop(m)).value) {
        m->at = (uint32_t)((int32_t)m->at + distance);
    }
}

static void (*const operations[])(machine *) = {op_constant, op_load, op_store, op_add,
                                                op_multiply, op_less, op_box,   op_jump_if};

#undef retain
#undef release
#undef box
#undef unbox
#undef push
#undef pop
#undef find
#undef op_constant
#undef op_load
#undef op_store
#undef op_add
#undef op_multiply
#undef op_less
#undef op_box
#undef op_jump_if
#undef operations
#undef NAME_OF
#undef PASTED
#undef COPY
