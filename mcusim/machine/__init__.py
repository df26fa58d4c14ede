"""What executes: emulator, memories, devices, semihosting, and the sentences for what goes wrong."""

from mcusim.machine.machine import Event, EventKind, Machine, Setup, Snapshot

__all__ = ["Event", "EventKind", "Machine", "Setup", "Snapshot"]
