"""What can go wrong with a broker call, grouped by what to do next. Messages never hold a key or a password.

BrokerError
  NotDoneError            it certainly had no effect
    RefusedError          ... and will not have one when repeated: the broker said no (documented 4xx)
    TryLaterError         ... this time
      NotSentError        it never reached the broker
      ThrottledError      the broker asks us to slow down
      KeyRefusedError     the broker does not accept our key: staff have to look
  OutcomeUnknownError     a write that may or may not have had its effect: settle it by reading
  NoDataError             a read that gave nothing trustworthy: it proves neither presence nor absence
"""


class BrokerError(Exception):
    """Any failure of a broker call."""


class NotDoneError(BrokerError):
    """The call certainly had no effect."""


class RefusedError(NotDoneError):
    """The broker said no; `str()` is its own words where it gave any."""


class TryLaterError(NotDoneError):
    """No effect this time; the same call may succeed later."""


class NotSentError(TryLaterError):
    """The request never reached the broker."""


class ThrottledError(TryLaterError):
    """429: too many requests."""


class KeyRefusedError(TryLaterError):
    """401 or 403: the broker does not accept our key."""


class OutcomeUnknownError(BrokerError):
    """A write whose outcome is unknown: a timeout, a 5xx, a broken or unexpected reply."""


class NoDataError(BrokerError):
    """A read without a trustworthy answer."""
