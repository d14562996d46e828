"""What the client API answers with, for the schema. Sources: api-facts 4.4 to 4.9 and 6.4 to 6.6."""

from typing import Any

from rest_framework import serializers

from challenges.models import Breach, ChallengeStatus
from purchases.api.programs import OfferedProgram
from purchases.api.purchases import PurchaseOutput

UNIX = "Unix seconds; 0 means not set."


class ChallengeOutput(serializers.Serializer[Any]):
    """A challenge, in the documented order."""

    id = serializers.IntegerField()
    purchase_id = serializers.IntegerField()
    program_id = serializers.IntegerField()
    customer_id = serializers.IntegerField()
    account_login = serializers.IntegerField(help_text="The current phase's account.")
    current_phase_index = serializers.IntegerField()
    status = serializers.ChoiceField(choices=ChallengeStatus.choices)
    start_time = serializers.IntegerField(help_text=UNIX)
    end_time = serializers.IntegerField(help_text=UNIX)
    created_time = serializers.IntegerField(help_text=UNIX)
    updated_time = serializers.IntegerField(help_text=UNIX)


class MetricOutput(serializers.Serializer[Any]):
    """Figures of one moment; `profit_target`, `daily_loss` and `total_loss` are percentages reached so far."""

    balance = serializers.FloatField()
    equity = serializers.FloatField()
    profit_target = serializers.FloatField()
    daily_loss = serializers.FloatField()
    total_loss = serializers.FloatField()
    trading_days = serializers.IntegerField()
    time = serializers.IntegerField(help_text=UNIX)


class ProgressOutput(serializers.Serializer[Any]):
    """Percentages: 5 is 5 %; a limit of 0 is off."""

    profit_pct = serializers.FloatField()
    profit_target_pct = serializers.FloatField()
    profit_target_progress_pct = serializers.FloatField(help_text="0 to 100.")
    daily_loss_pct = serializers.FloatField()
    daily_loss_limit_pct = serializers.FloatField()
    total_loss_pct = serializers.FloatField()
    total_loss_limit_pct = serializers.FloatField()
    trading_days = serializers.IntegerField()
    min_trading_days = serializers.IntegerField()
    max_trading_days = serializers.IntegerField()
    max_positions = serializers.IntegerField()


class LevelsOutput(serializers.Serializer[Any]):
    """Where the limits stand, as equity or balance figures; null where a limit is off."""

    daily_loss = serializers.FloatField(allow_null=True)
    total_loss = serializers.FloatField(allow_null=True)
    profit_target = serializers.FloatField(allow_null=True)
    daily_profit = serializers.FloatField(allow_null=True)


class PhaseOutput(serializers.Serializer[Any]):
    """One run of one phase, in the documented order; levels and what remains to them come after."""

    id = serializers.IntegerField()
    challenge_id = serializers.IntegerField()
    program_id = serializers.IntegerField()
    phase_index = serializers.IntegerField()
    phase_type = serializers.IntegerField(help_text="0 evaluation, 1 funded.")
    account_group = serializers.CharField()
    account_login = serializers.IntegerField(help_text="0 while the account is being opened.")
    initial_balance = serializers.FloatField()
    initial_equity = serializers.FloatField()
    final_balance = serializers.FloatField(help_text="0 while it is not over.")
    final_equity = serializers.FloatField(help_text="0 while it is not over.")
    status = serializers.ChoiceField(choices=ChallengeStatus.choices)
    status_name = serializers.CharField()
    start_time = serializers.IntegerField(help_text=UNIX)
    end_time = serializers.IntegerField(help_text=UNIX)
    created_time = serializers.IntegerField(help_text=UNIX)
    updated_time = serializers.IntegerField(help_text=UNIX)
    latest_metric = MetricOutput(allow_null=True)
    progress = ProgressOutput(allow_null=True)
    levels = LevelsOutput(allow_null=True)
    remaining = LevelsOutput(allow_null=True, help_text="What is left to each level; below 0 beyond it.")
    name = serializers.CharField()
    is_paused = serializers.BooleanField(help_text="No trading until the next trading day.")
    close_reason = serializers.CharField(help_text="Why it is over, such as daily_loss.")
    why_not_passed = serializers.CharField(help_text="The target is met, but this is missing.")


class BreachOutput(serializers.Serializer[Any]):
    """A broken rule with its evidence. The time before it tells how closely the account was sampled."""

    id = serializers.IntegerField()
    challenge_id = serializers.IntegerField()
    phase_id = serializers.IntegerField()
    phase_index = serializers.IntegerField()
    rule = serializers.CharField()
    action = serializers.ChoiceField(choices=Breach.Action.choices)
    trading_day = serializers.DateField()
    level = serializers.FloatField(allow_null=True)
    observed = serializers.FloatField(allow_null=True)
    balance = serializers.FloatField()
    equity = serializers.FloatField()
    time = serializers.IntegerField(help_text=UNIX)
    explanation = serializers.CharField(help_text="The rule with the numbers put in.")
    previous_time = serializers.IntegerField(help_text=UNIX)
    previous_balance = serializers.FloatField(allow_null=True)
    previous_equity = serializers.FloatField(allow_null=True)
    terms_digest = serializers.CharField(help_text="SHA-256 of the terms it was judged by.")


class BuyOutput(serializers.Serializer[Any]):
    accepted = serializers.BooleanField()
    idempotent = serializers.BooleanField(help_text="This idempotency_key had been used: the purchase of then.")
    purchase = PurchaseOutput()
    challenge = ChallengeOutput(allow_null=True)


class MineOutput(serializers.Serializer[Any]):
    purchases = PurchaseOutput(many=True)
    challenges = ChallengeOutput(many=True)


class ChallengeDetails(serializers.Serializer[Any]):
    challenge = ChallengeOutput()
    purchase = PurchaseOutput()
    program = OfferedProgram(help_text="Its steps are those that were bought.")
    phases = PhaseOutput(many=True)
    current_phase = PhaseOutput(allow_null=True)
    latest_metric = MetricOutput(allow_null=True)
    latest_breach = BreachOutput(allow_null=True)


class PhaseMetric(MetricOutput):
    phase_id = serializers.IntegerField()
    phase_index = serializers.IntegerField()
    levels = LevelsOutput()


class MetricRows(serializers.Serializer[Any]):
    rows = PhaseMetric(many=True)


class BreachRows(serializers.Serializer[Any]):
    rows = BreachOutput(many=True)


class MetricsInput(serializers.Serializer[Any]):
    limit = serializers.IntegerField(min_value=1, max_value=5000, default=500, help_text="The latest so many.")
