@ Every addressing mode of the Cortex-M4, with what makes an access hard to follow: conditions whose flags are
@ lost, bases that a later load overwrites, addresses loaded from memory, data that are not aligned.
.syntax unified
.thumb
.cpu cortex-m4
.fpu fpv4-sp-d16
.section .vectors, "a", %progbits
.word stack_top
.word Reset_Handler
.text
.global Reset_Handler
.type Reset_Handler, %function
Reset_Handler:
    ldr r0, =0xE000ED88
    ldr r1, [r0]
    orr r1, r1, #0xF00000
    str r1, [r0]
    dsb
    isb
    movs r8, #0
again:
    ldr r0, =memory
    movs r1, #0
    movs r2, #64
fill:
    str r1, [r0, r1]
    adds r1, #4
    cmp r1, #252
    bls fill
    mov r9, r8
    bl narrow
    bl wide
    bl indexed
    bl several
    bl pairs
    bl exclusive
    bl floating
    bl conditional
    bl unaligned
    bl pointers
    bl tables
    add r8, #1
    cmp r8, #5
    bne again
    movs r0, #0x18
    ldr r1, =0x20026
    bkpt 0xab
    b .

narrow:
    push {r4-r7, lr}
    ldr r0, =memory
    lsls r1, r0, #0
    movs r2, #4
    str r2, [r0, r2]
    strh r2, [r0, r2]
    strb r2, [r0, r2]
    ldrsb r3, [r0, r2]
    ldr r3, [r0, r2]
    ldrh r3, [r0, r2]
    ldrb r3, [r0, r2]
    ldrsh r3, [r0, r2]
    str r3, [r0, #124]
    ldr r4, [r0, #124]
    strb r3, [r0, #31]
    ldrb r4, [r0, #31]
    strh r3, [r0, #62]
    ldrh r4, [r0, #62]
    sub sp, #16
    str r4, [sp, #8]
    ldr r5, [sp, #8]
    add sp, #16
    stmia r0!, {r1-r3}
    ldmia r0!, {r1, r4}
    ldmia r0, {r0, r1}
    pop {r4-r7, pc}

wide:
    push {r4-r11, lr}
    ldr.w r0, =memory
    ldr.w r1, data
    ldrb.w r1, data
    ldrh.w r1, data
    ldrsb.w r1, data
    ldrsh.w r1, data
    str.w r1, [r0, #200]
    strh.w r1, [r0, #202]
    strb.w r1, [r0, #203]
    ldr.w r2, [r0, #200]
    ldrh.w r2, [r0, #202]
    ldrb.w r2, [r0, #203]
    ldrsh.w r2, [r0, #202]
    ldrsb.w r2, [r0, #203]
    add r0, #64
    mov r10, r0
    str r1, [r10, #-4]
    strh r1, [r10, #-6]
    strb r1, [r10, #-7]
    ldr r2, [r10, #-4]
    ldrh r2, [r10, #-6]
    ldrb r2, [r10, #-7]
    ldrsh r2, [r10, #-6]
    ldrsb r2, [r10, #-7]
    str r1, [r10, #8]!
    strh r1, [r10, #-2]!
    strb r1, [r10, #1]!
    ldrb r2, [r10, #-1]!
    ldr r2, [r10, #2]!
    ldrh r2, [r10], #4
    ldr r2, [r10], #-8
    str r2, [r10], #4
    strh r2, [r10], #2
    strb r2, [r10], #-6
    ldrsb r2, [r10], #4
    ldrsh r2, [r10], #-4
    strt r2, [r10, #4]
    ldrt r2, [r10, #4]
    ldr r3, [r10], #0
    pop {r4-r11, pc}
.p2align 2
data: .word 0x12348765

indexed:
    push {r4, lr}
    ldr r0, =memory
    mov r1, r9
    add r1, #1
    str.w r1, [r0, r1, lsl #2]
    strh.w r1, [r0, r1, lsl #1]
    strb.w r1, [r0, r1, lsl #3]
    ldr.w r2, [r0, r1, lsl #2]
    ldrh.w r2, [r0, r1, lsl #1]
    ldrb.w r2, [r0, r1, lsl #3]
    ldrsh.w r2, [r0, r1, lsl #1]
    ldrsb.w r2, [r0, r1]
    mul r3, r1, r1
    and r3, r3, #31
    strb r3, [r0, r3]
    eor r3, r3, r1, lsl #2
    ldrb r4, [r0, r3]
    movs r3, #0
    pop {r4, pc}

several:
    push {r4-r8, lr}
    ldr.w r4, =memory + 32
    stmia.w r4!, {r3, r5, r8}
    stmia.w r4, {r0, r1, r8}
    ldmia.w r4!, {r0, r1, r7}
    ldmia.w r4, {r1, r7}
    stmdb r4!, {r0, r1, r8}
    stmdb r4, {r0, r1}
    ldmdb r4!, {r0, r1}
    ldmdb r4, {r0, r2}
    add r4, #32
    ldmdb r4, {r0, r4}
    pop.w {r4-r8, pc}

pairs:
    push {r4, lr}
    ldr r4, =memory
    strd r0, r1, [r4, #16]
    ldrd r2, r3, [r4, #16]
    strd r2, r3, [r4, #8]!
    ldrd r0, r1, [r4, #-8]!
    strd r2, r3, [r4], #24
    ldrd r0, r1, [r4], #-16
    ldrd r4, r0, [r4]
    pop {r4, pc}

exclusive:
    push {r4, lr}
    ldr r4, =memory + 32
    ldrex r0, [r4, #4]
    strex r1, r0, [r4, #4]
    ldrexb r0, [r4]
    strexb r1, r0, [r4]
    ldrexh r0, [r4]
    strexh r1, r0, [r4]
    strex r1, r0, [r4]
    ldrex r0, [r4]
    clrex
    strex r2, r0, [r4]
    str r2, [r4, r2, lsl #2]
    pop {r4, pc}

floating:
    push {r4, lr}
    ldr r4, =memory + 64
    vldr s0, [r4]
    vldr d1, [r4, #-8]
    vstr s1, [r4, #4]
    vstr d1, [r4, #8]
    vstmia r4!, {s0-s2}
    vstmia r4, {d0-d1}
    vldmia r4, {s4-s6}
    vldmia r4!, {d2-d3}
    vstmdb r4!, {s0}
    vldmdb r4!, {s1-s2}
    vpush {d8-d9}
    vpop {d8-d9}
    vldmdb r4!, {d0}
    pop {r4, pc}

conditional:
    push {r4-r6, lr}
    ldr r4, =memory + 32
    cmp r9, #2
    ittte lt
    strlt r4, [r4, #4]
    ldrlt r0, [r4, #4]!
    strblt r0, [r4], #3
    strge r4, [r4, #8]
    cmp r9, #3
    ite eq
    ldreq r1, [r4, r9]
    strbne r1, [r4, r9]
    cmp r9, #9
    cmp r9, #1
    itt hi
    pushhi {r0, r1}
    pophi {r0, r1}
    cmp r9, #4
    it eq
    ldmdbeq r4!, {r0, r1}
    pop {r4-r6, pc}

unaligned:
    ldr r0, =memory
    str r0, [r0, #1]
    ldr r1, [r0, #2]
    strh r1, [r0, #7]
    ldrh r2, [r0, #3]
    ldrsh r2, [r0, r9]
    str r2, [r0, r9]
    bx lr

pointers:
    ldr r0, =memory
    str r0, [r0]
    ldr r1, [r0]
    strb r9, [r1, #60]
    add r2, r0, #8
    str r2, [r1, #4]
    ldr r1, [r1, #4]
    str r9, [r1]
    str r9, [r0, #4]
    str r0, [r0, #12]
    ldr r1, [r0, #12]
    strb r9, [r1, #33]
    str r9, [r0, #12]
    movs r1, #0
    bx lr

tables:
    and r0, r9, #1
    adr r1, bytes
    tbb [r1, r0]
bytes: .byte 1, 1
    ldr r0, =memory
    ldr r1, =table_in_sram
    movs r2, #2
    strh r2, [r1, r2]
    movs r2, #1
    tbh [r1, r2, lsl #1]
    nop
    nop
    strb r9, [r0, #99]
    bx lr
.ltorg

.bss
.p2align 3
memory: .space 512
table_in_sram: .space 16
.space 256
.p2align 3
stack_top:
