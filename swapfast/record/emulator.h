/* What a plugin of qemu-user calls and is called by: the part that pages.c needs.
 *
 * As version 1 of the interface has it (qemu 7.2). A block is a piece of the program that qemu
 * translates as a whole; callbacks are registered for its instructions then, and called when it runs.
 */
#ifndef SWAPFAST_EMULATOR
#define SWAPFAST_EMULATOR

#include <stddef.h>
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))
#define NO_REGISTERS 0
#define READ_AND_WRITE 3

struct block;
struct instruction;
typedef uint64_t plugin_id;
typedef void on_memory(unsigned cpu, uint32_t info, uint64_t address, void *data);
typedef void on_instruction(unsigned cpu, void *data);
typedef void on_call(plugin_id id, unsigned cpu, int64_t number, uint64_t a1, uint64_t a2,
                     uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8);

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct block *));
void qemu_plugin_register_vcpu_exit_cb(plugin_id, void (*)(plugin_id, unsigned));
void qemu_plugin_register_vcpu_syscall_cb(plugin_id, on_call *);
void qemu_plugin_register_vcpu_syscall_ret_cb(plugin_id,
                                              void (*)(plugin_id, unsigned, int64_t, int64_t));
void qemu_plugin_register_vcpu_mem_cb(struct instruction *, on_memory *, int flags, int kinds,
                                      void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct instruction *, on_instruction *, int flags,
                                            void *data);
size_t qemu_plugin_tb_n_insns(const struct block *);
struct instruction *qemu_plugin_tb_get_insn(const struct block *, size_t);
uint64_t qemu_plugin_insn_vaddr(const struct instruction *);
void *qemu_plugin_insn_haddr(const struct instruction *);
size_t qemu_plugin_insn_size(const struct instruction *);
_Bool qemu_plugin_mem_is_store(uint32_t);
unsigned qemu_plugin_mem_size_shift(uint32_t);

#endif
