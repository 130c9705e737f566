"""Where temporary servers have their folder."""

from pathlib import Path

import pytest

from devkit.servers import places
from devkit.servers.identity import myself


@pytest.mark.parametrize(
    ("needed_bytes", "tmpdir", "in_memory"),
    [
        pytest.param(1, None, True, id="in memory"),
        pytest.param(2**80, None, False, id="memory has no room"),
        pytest.param(1, "/tmp", False, id="a place was named"),
    ],
)
def test_a_temporary_folder_is_in_memory_where_that_has_room_and_nobody_named_a_place(
    needed_bytes: int, tmpdir: str | None, *, in_memory: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "MEMORY", str(tmp_path))
    monkeypatch.setattr(places, "MEMORY_BYTES", needed_bytes)
    monkeypatch.delenv("TMPDIR", raising=False)
    if tmpdir:
        monkeypatch.setenv("TMPDIR", tmpdir)
    with places.temporary_folder(myself(), places.for_data()) as base:
        assert (base.parent == tmp_path) == in_memory
    assert not base.exists()
