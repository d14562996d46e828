from decimal import Decimal

import pytest

from programs.terms import RuleTerms, canonical_json, digest, plain
from programs.terms.sentences import amount_text, grouped


@pytest.mark.parametrize("written", ["5", "5.0", "5.00", "0.5E+1", "+5"])
def test_one_number_has_one_text(written: str):
    assert plain(Decimal(written)) == "5"


@pytest.mark.parametrize(
    ("number", "text"),
    [("-0", "0"), ("0.00", "0"), ("1E+3", "1000"), ("-0.50", "-0.5"), ("100", "100"), ("1E-8", "0.00000001")],
)
def test_a_number_is_written_plainly(number: str, text: str):
    assert plain(Decimal(number)) == text


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_is_not_finite_has_no_text(number: str):
    with pytest.raises(ValueError, match="not a finite number"):
        plain(Decimal(number))


def test_keys_are_sorted_and_there_are_no_spaces():
    value = {"b": [1, None, True], "a": {"d": Decimal("5.50"), "c": ("x", "é")}}
    assert canonical_json(value) == '{"a":{"c":["x","é"],"d":"5.5"},"b":[1,null,true]}'


@pytest.mark.parametrize("value", [1.0, {"a": [0.5]}, {1: "a"}, {"a": {3}}, b"x"])
def test_what_has_no_canonical_form_is_refused(value: object):
    with pytest.raises(TypeError):
        canonical_json(value)


def test_the_digest_is_of_the_meaning_and_not_of_the_spelling():
    one = RuleTerms.from_mapping({"max_daily_loss_pct": "5", "profit_target_pct": Decimal("10.0")})
    other = RuleTerms.from_mapping({"profit_target_pct": 10, "max_daily_loss_pct": "5.00", "breach_when": "below"})
    assert digest(one.to_mapping()) == digest(other.to_mapping())
    changed = RuleTerms.from_mapping({"max_daily_loss_pct": "5.00000001", "profit_target_pct": 10})
    assert digest(changed.to_mapping()) != digest(one.to_mapping())


def test_the_digest_is_sha_256_of_the_canonical_json():
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


@pytest.mark.parametrize(
    ("amount", "text", "read"),
    [
        ("95000", "95000.00", "95,000.00"),
        ("94999.990", "94999.99", "94,999.99"),
        ("94999.995", "94999.995", "94,999.995"),
        ("0.5", "0.50", "0.50"),
        ("-0.5", "-0.50", "-0.50"),
        ("-1234567.8", "-1234567.80", "-1,234,567.80"),
        ("0", "0.00", "0.00"),
        ("1E+5", "100000.00", "100,000.00"),
    ],
)
def test_amounts_show_two_decimals_and_more_only_where_they_are_not_zero(amount: str, text: str, read: str):
    assert amount_text(Decimal(amount)) == text
    assert grouped(Decimal(amount)) == read
