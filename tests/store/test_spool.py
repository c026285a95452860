"""The spool: what was answered is on disk, cut records are not believed, files of the dead are found."""

import asyncio
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.clock import SystemClock
from store.spool import HEAD, Spool, SpoolUnavailable, read_records


def spool(folder: Path, *, inline: bool = True) -> Spool:
    made = Spool(folder, SystemClock(), inline=inline)
    made.open()
    return made


async def test_records_come_back_in_order_over_a_restart(tmp_path: Path) -> None:
    first = spool(tmp_path, inline=False)
    await asyncio.gather(*(first.append(f"record {number}".encode()) for number in range(50)))
    assert first.waiting == 50
    first.abandon()
    second = spool(tmp_path)
    assert second.waiting == 50
    ((path, records),) = second.take()
    assert records == [f"record {number}".encode() for number in range(50)]
    second.done(path, len(records))
    assert second.waiting == 0
    assert spool(tmp_path).waiting == 0


async def test_a_file_in_use_by_another_process_is_left_alone(tmp_path: Path) -> None:
    alive = spool(tmp_path)
    await alive.append(b"mine")
    beside = spool(tmp_path)
    assert beside.waiting == 0
    assert beside.take() == []
    alive.abandon()  # it dies
    assert beside.recount() == 1
    assert [records for _, records in beside.take()] == [[b"mine"]]


async def test_what_is_appended_while_taking_goes_to_a_new_file(tmp_path: Path) -> None:
    one = spool(tmp_path)
    await one.append(b"first")
    ((path, records),) = one.take()
    await one.append(b"second")
    assert records == [b"first"]
    one.done(path, 1)
    assert [found for _, found in one.take()] == [[b"second"]]


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=6), st.integers(min_value=1, max_value=60))
def test_a_cut_file_gives_whole_records_only(
    tmp_path_factory: pytest.TempPathFactory, written: list[bytes], cut: int
) -> None:

    whole = b"".join(HEAD.pack(len(one), zlib.crc32(one)) + one for one in written)
    path = tmp_path_factory.mktemp("spool") / "x.spool"
    path.write_bytes(whole[: max(0, len(whole) - cut)])
    found = list(read_records(path))
    assert found == written[: len(found)]
    assert len(found) < len(written)


async def test_a_damaged_record_ends_the_file(tmp_path: Path) -> None:
    one = spool(tmp_path)
    await one.append(b"good")
    await one.append(b"damaged")
    one.abandon()
    (path,) = tmp_path.glob("*.spool")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    assert list(read_records(path)) == [b"good"]


async def test_a_folder_that_cannot_be_written_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    broken = Spool(tmp_path / "file" / "spool", SystemClock(), inline=True)
    with pytest.raises(SpoolUnavailable):
        broken.open()
    with pytest.raises(SpoolUnavailable):
        await broken.append(b"x")


async def test_files_are_readable_by_the_owner_only(tmp_path: Path) -> None:
    one = spool(tmp_path / "spool")
    await one.append(b"person")
    (path,) = (tmp_path / "spool").glob("*.spool")
    assert path.stat().st_mode & 0o077 == 0
    assert (tmp_path / "spool").stat().st_mode & 0o077 == 0
    one.abandon()
