"""The spool where disks are nearly full and where it is emptied while it is filled."""

import asyncio
import os
from pathlib import Path

import pytest

from leads.clock import SystemClock
from store.spool import Spool, SpoolUnavailable
from tests.support.full_disk import files_no_larger_than


def open_spool(folder: Path, *, inline: bool = True) -> Spool:
    spool = Spool(folder, SystemClock(), inline=inline)
    spool.open()
    return spool


async def test_a_record_of_which_only_a_part_fits_is_refused_and_leaves_the_others_whole(tmp_path: Path) -> None:
    """A nearly full disk takes the beginning of a write and reports no error."""
    spool = open_spool(tmp_path)
    await spool.append(b"a" * 100)
    with files_no_larger_than(os.getpid(), 150), pytest.raises(SpoolUnavailable):
        await spool.append(b"b" * 100)
    await spool.append(b"c" * 100)
    assert [records for _, records in spool.take()] == [[b"a" * 100, b"c" * 100]]


async def test_nothing_is_lost_or_refused_while_the_spool_is_taken_in(tmp_path: Path) -> None:
    """The file is closed by whoever takes it in, and written on another thread: not at the same time."""
    spool = open_spool(tmp_path, inline=False)
    found: list[bytes] = []
    written = asyncio.Event()

    async def fill() -> None:
        for number in range(400):
            await spool.append(str(number).encode())
        written.set()

    async def empty() -> None:
        while not written.is_set() or spool.waiting:
            for path, records in spool.take():
                found.extend(records)
                spool.done(path, len(records))
            if not written.is_set():
                await asyncio.sleep(0)
            elif spool.recount() == 0:
                return

    await asyncio.gather(fill(), empty())
    spool.close()
    assert found == [str(number).encode() for number in range(400)]
