"""How much memory this program can use."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

USABLE = 0.8  # the share of the free memory that is used
GROUPS = (  # of a container: its limit, what it uses, and how much of this are files that can be read again
    ("memory.max", "memory.current", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file"),
)


def free() -> int | None:
    """Free bytes: the least of the machine's, the container's and the process's. None where none of them is known."""
    known = [size for size in (_machine(), _container(Path("/sys/fs/cgroup")), _process()) if size is not None]
    return min(known, default=None)


def _machine() -> int | None:
    try:
        match = re.search(r"MemAvailable: *(\d+) kB", Path("/proc/meminfo").read_text())
        return int(match[1]) << 10 if match else None
    except OSError:
        pass
    if sys.platform == "win32":
        import ctypes

        # MEMORYSTATUSEX: its size, the load in percent, then totals of eight bytes, of which the second is free
        status = (ctypes.c_ulonglong * 8)(64)
        known = ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
        return int(status[2]) if known else None
    try:
        return int(os.sysconf("SC_PHYS_PAGES")) * int(os.sysconf("SC_PAGE_SIZE"))
    except (OSError, ValueError, AttributeError):
        return None


def _container(place: Path) -> int | None:
    for limit, used, files in GROUPS:
        try:
            most, now = (int((place / name).read_text()) for name in (limit, used))
            cached = re.search(rf"^{files} (\d+)", (place / limit).with_name("memory.stat").read_text(), re.M)
        except (OSError, ValueError):  # none, or "max"
            continue
        return max(0, most - now + (int(cached[1]) if cached else 0))
    return None


def _process() -> int | None:
    try:
        import resource

        most = resource.getrlimit(resource.RLIMIT_AS)[0]
        if most == resource.RLIM_INFINITY:
            return None
        used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        return max(0, most - used)
    except (ImportError, OSError, ValueError):
        return None
