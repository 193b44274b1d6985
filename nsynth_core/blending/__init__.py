"""Instruments, what lies between them, and the engines that blend them."""
