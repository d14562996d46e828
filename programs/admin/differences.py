"""Differences between terms as cards: field by field, and the sentences that customers no longer or newly read."""

from collections.abc import Sequence
from dataclasses import dataclass

from programs.terms import Section
from propdesk.lib.admin import Panel


@dataclass(frozen=True, kw_only=True)
class Differences(Panel):
    """One block per place that changes; `empty` is shown when nothing does."""

    template = "admin/panels/differences.html"
    sections: Sequence[Section]
    is_new: bool = False  # there is no before: nothing to point out
    empty: str = "Nothing differs."
