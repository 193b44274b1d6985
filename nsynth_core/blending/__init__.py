"""Instruments, their embeddings, and the engines that blend them into notes and tables."""
