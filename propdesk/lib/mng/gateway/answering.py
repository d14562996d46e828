"""One frame in, one frame out, in a worker thread: everything here may take its time."""

import re

from django.db import close_old_connections

from propdesk.lib.mng.envelope import Answer, dispatch, failure
from propdesk.lib.mng.errors import CodedError, TooLargeError, coded
from propdesk.lib.mng.gateway.framing import END, Frame, Oversized
from propdesk.lib.mng.parsers import parse_json
from propdesk.lib.mng.renderers import to_json
from propdesk.lib.times import utc_now

EXT_ID = re.compile(rb'"extID"\s*:\s*"([ !#-\[\]-~]{1,100})"')


def answer_frame(frame: Frame) -> bytes:
    """The answer to a frame, as a frame; it never raises."""
    # What Django does around a request: a connection that broke or grew old is not used again.
    close_old_connections()
    try:
        return encoded(_answer(frame))
    finally:
        close_old_connections()


def ext_id_in(frame: bytes) -> bytes:
    """The `extID` of a frame that is not good JSON, so that its sender can tell which one it was; empty if in doubt."""
    found = set(EXT_ID.findall(frame))
    return found.pop() if len(found) == 1 else b""


def _answer(frame: Frame) -> Answer:
    if isinstance(frame, Oversized):
        error = TooLargeError(f"The frame is larger than {frame.limit} bytes.")
        return failure(error, ext_id_in(frame.head).decode())
    try:
        document = parse_json(frame)
    except CodedError as error:
        return failure(error, ext_id_in(frame).decode())
    # Without an extID nobody could tell which command an answer belongs to.
    return dispatch(document, clock=utc_now, ext_id_required=True)


def encoded(answer: Answer) -> bytes:
    try:
        document = to_json(answer.body)
    except Exception as error:  # noqa: BLE001  (a value without a JSON form is our mistake, and still needs an answer)
        document = to_json(failure(coded(error), answer.body["extID"]).body)
    # The PHP client of the original API "repairs" what it receives by turning every apostrophe into a quotation mark,
    # and then cannot read it. An escaped one is the same text to everybody.
    return document.replace(b"'", rb"\u0027") + END
