"""The parameters of a phase, their defaults and bounds, canonical JSON and digest, level formulas and sentences.

Pure: no Django, no I/O, no clock. Specification: the rules page of the documentation, sections 1 and 2.
"""

from programs.terms.canonical import canonical_json, digest, plain
from programs.terms.changes import Change, Section, differences, phase_sentences, summary
from programs.terms.levels import (
    EXACT,
    daily_loss_base,
    daily_loss_level,
    daily_loss_share_base,
    daily_profit_level,
    lock_level,
    profit_target_level,
    total_loss_level,
    total_loss_share_base,
)
from programs.terms.parameter import Parameter
from programs.terms.parameters import PARAMETERS
from programs.terms.rule_terms import RuleTerms, TermsError, checked, finite_number
from programs.terms.sentences import amount_text, grouped, sentences

__all__ = [
    "EXACT",
    "PARAMETERS",
    "Change",
    "Parameter",
    "RuleTerms",
    "Section",
    "TermsError",
    "amount_text",
    "canonical_json",
    "checked",
    "daily_loss_base",
    "daily_loss_level",
    "daily_loss_share_base",
    "daily_profit_level",
    "differences",
    "digest",
    "finite_number",
    "grouped",
    "lock_level",
    "phase_sentences",
    "plain",
    "profit_target_level",
    "sentences",
    "summary",
    "total_loss_level",
    "total_loss_share_base",
]
