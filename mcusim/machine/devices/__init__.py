"""Peripherals, one file each, and the bus that reaches them."""

from mcusim.machine.devices.bus import Bus, Device, Platform

__all__ = ["Bus", "Device", "Platform"]
