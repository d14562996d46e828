"""Acknowledging many differences at once: chosen in the list, confirmed with a reason on a page of its own."""

from collections import Counter
from collections.abc import Sequence

from django import forms
from django.core.exceptions import ValidationError

from brokers.models import Difference
from propdesk.lib.admin import ReasonForm

# Whoever confirms has read the kinds and the number of what is acknowledged, not each one of more than these.
MOST = 5000


class AcknowledgeForm(ReasonForm):
    """The reason, and exactly the differences that were chosen: what has come since is not among them."""

    ids = forms.CharField(widget=forms.HiddenInput)

    def clean_ids(self) -> list[int]:
        texts = str(self.cleaned_data["ids"]).split(",")
        if len(texts) > MOST or not all(text.isascii() and text.isdecimal() and len(text) < 19 for text in texts):
            raise ValidationError(f"Up to {MOST} differences can be acknowledged at once.")
        return [int(text) for text in texts]


def form_for(rows: Sequence[Difference]) -> AcknowledgeForm:
    return AcknowledgeForm(initial={"ids": ",".join(str(row.pk) for row in rows)})


def counted_kinds(rows: Sequence[Difference]) -> list[str]:
    """Such as "12 \N{MULTIPLICATION SIGN} account missing", the most frequent first."""
    kinds = Counter(row.get_kind_display() for row in rows)
    return [f"{number} \N{MULTIPLICATION SIGN} {kind}" for kind, number in kinds.most_common()]


def outcome(*, done: int, chosen: int) -> str:
    """What staff are told afterwards."""
    sentence = "1 difference is acknowledged." if done == 1 else f"{done} differences are acknowledged."
    left = chosen - done
    if not left:
        return sentence
    return f"{sentence} {left} {'was' if left == 1 else 'were'} left out: gone, or acknowledged before."
