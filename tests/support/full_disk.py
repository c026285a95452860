"""Disks that are full: by a limit on the size of files, which everybody may set, or by a small file system."""

import contextlib
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

NO_MOUNT = "needs the right to mount a small file system: run as root (in a container with SYS_ADMIN)"


@contextlib.contextmanager
def files_no_larger_than(pid: int, size_bytes: int) -> Iterator[None]:
    """No file of the process can grow beyond this while the block runs."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


class SmallDisk:
    """A file system in memory at `folder`, that can be filled up and emptied again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Not a byte fits any more."""
        with open(self._filler, "wb") as file:
            for piece in (1 << 20, 4096, 1):
                with contextlib.suppress(OSError):
                    while True:
                        os.write(file.fileno(), b"\0" * piece)

    def free(self) -> None:
        self._filler.unlink(missing_ok=True)


@contextlib.contextmanager
def small_disk(folder: Path, size_mb: int) -> Iterator[SmallDisk | None]:
    """None where we may not mount."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m,mode=0755", "none", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        yield None
        return
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)
