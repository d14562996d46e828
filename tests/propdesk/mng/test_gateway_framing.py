"""How bytes become frames, however the network cuts them."""

import pytest

from propdesk.lib.mng.gateway import framing
from propdesk.lib.mng.gateway.framing import EndlessFrameError, FrameSplitter, Oversized

LIMIT = 10


def frames(*chunks: bytes) -> list[bytes | Oversized]:
    splitter = FrameSplitter(LIMIT)
    return [frame for chunk in chunks for frame in splitter.feed(chunk)]


def byte_by_byte(data: bytes) -> list[bytes | Oversized]:
    return frames(*(bytes([byte]) for byte in data))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"abc", []),
        (b"abc\r", []),
        (b"abc\n", []),
        (b"abc\r\n", [b"abc"]),
        (b"\r\n", [b""]),
        (b"a\r\nb\r\n", [b"a", b"b"]),
        (b"\r\n\r\n", [b"", b""]),
        (b"a\nb\r\n", [b"a\nb"]),
        (b"a\rb\r\n", [b"a\rb"]),
        (b"a\r\r\n", [b"a\r"]),
        (b"\n\r\n", [b"\n"]),
        (b"0123456789\r\n", [b"0123456789"]),
        (b"012345678\r\r\n", [b"012345678\r"]),
    ],
)
def test_the_same_frames_whole_and_byte_by_byte(data: bytes, expected: list[bytes]):
    assert frames(data) == expected
    assert byte_by_byte(data) == expected


def test_every_cut_in_two_gives_the_same_frames():
    data = b"a\r\n\r\nbc\rd\r\n0123456789\r\n"
    for place in range(len(data) + 1):
        assert frames(data[:place], data[place:]) == [b"a", b"", b"bc\rd", b"0123456789"]


def test_a_frame_is_complete_with_its_end_and_not_before():
    splitter = FrameSplitter(LIMIT)
    assert list(splitter.feed(b"a\r\nb\r")) == [b"a"]
    assert list(splitter.feed(b"\n")) == [b"b"]


@pytest.mark.parametrize("long", [b"0123456789X", b"0123456789\r", b"0" * 1000])
def test_an_oversized_frame_is_reported_once_and_skipped_to_its_end(long: bytes):
    for found in (frames(b"a\r\n" + long + b"\r\nb\r\n"), byte_by_byte(b"a\r\n" + long + b"\r\nb\r\n")):
        first, oversized, last = found
        assert (first, last) == (b"a", b"b")
        assert isinstance(oversized, Oversized)
        assert oversized.limit == LIMIT
        assert long.startswith(oversized.head.rstrip(b"\r\n"))


def test_an_oversized_frame_is_reported_before_its_end_has_come():
    assert [type(frame) for frame in frames(b"0" * 12)] == [Oversized]


def test_two_oversized_frames_are_two():
    assert [type(frame) for frame in frames(b"0" * 100 + b"\r\n" + b"0" * 100 + b"\r\n")] == [Oversized, Oversized]
    assert [type(frame) for frame in byte_by_byte((b"0" * 30 + b"\r\n") * 2)] == [Oversized, Oversized]


def test_while_skipping_next_to_nothing_is_kept():
    splitter = FrameSplitter(LIMIT)
    for _ in range(100):
        list(splitter.feed(b"0" * 1000))
    assert len(splitter._buffer) == 1


def test_a_frame_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(framing, "MAX_SKIPPED", 1000)
    splitter = FrameSplitter(LIMIT)
    found = list(splitter.feed(b"0" * 900))
    with pytest.raises(EndlessFrameError):
        list(splitter.feed(b"0" * 200))
    assert [type(frame) for frame in found] == [Oversized]
