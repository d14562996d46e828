import django.db.models.deletion
from django.db import migrations, models

import propdesk.lib.money


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("brokers", "0002_append_only_events"),
        ("programs", "0001_initial"),
        ("purchases", "0002_append_only_events"),
    ]

    operations = [
        migrations.CreateModel(
            name="ChallengeEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("subject_id", models.BigIntegerField(db_index=True)),
                ("from_status", models.SmallIntegerField(null=True)),
                ("to_status", models.SmallIntegerField()),
                ("actor", models.CharField(max_length=150)),
                ("actor_user_id", models.BigIntegerField(null=True)),
                ("reason", models.TextField(blank=True)),
                ("at", models.DateTimeField()),
            ],
            options={
                "ordering": ("at", "id"),
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Enrollment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("phase_index", models.PositiveSmallIntegerField()),
                ("phase_type", models.SmallIntegerField(help_text="0 evaluation, 1 funded.")),
                ("phase_name", models.CharField(max_length=100)),
                ("account_group", models.CharField(help_text="The group's name in the pinned terms.", max_length=64)),
                (
                    "status",
                    models.SmallIntegerField(
                        choices=[(0, "pending"), (1, "active"), (2, "passed"), (3, "failed"), (4, "cancelled")],
                        default=0,
                    ),
                ),
                (
                    "close_reason",
                    models.CharField(blank=True, help_text="Why it is over, such as daily_loss.", max_length=100),
                ),
                (
                    "review_reason",
                    models.TextField(blank=True, help_text="Why staff have to look at it; empty when they need not."),
                ),
                ("is_paused", models.BooleanField(default=False, verbose_name="paused")),
                ("initial_balance", propdesk.lib.money.MoneyField(decimal_places=8, max_digits=24)),
                ("initial_equity", propdesk.lib.money.MoneyField(decimal_places=8, max_digits=24)),
                ("final_balance", propdesk.lib.money.MoneyField(decimal_places=8, max_digits=24, null=True)),
                ("final_equity", propdesk.lib.money.MoneyField(decimal_places=8, max_digits=24, null=True)),
                ("started_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
                (
                    "account",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="enrollment",
                        to="brokers.tradingaccount",
                    ),
                ),
            ],
            options={
                "ordering": ("challenge", "id"),
            },
        ),
        migrations.CreateModel(
            name="EnrollmentEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("subject_id", models.BigIntegerField(db_index=True)),
                ("from_status", models.SmallIntegerField(null=True)),
                ("to_status", models.SmallIntegerField()),
                ("actor", models.CharField(max_length=150)),
                ("actor_user_id", models.BigIntegerField(null=True)),
                ("reason", models.TextField(blank=True)),
                ("at", models.DateTimeField()),
            ],
            options={
                "ordering": ("at", "id"),
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Challenge",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("account_login", models.BigIntegerField(help_text="The current phase's trading account.")),
                ("current_phase_index", models.PositiveSmallIntegerField(default=1)),
                (
                    "status",
                    models.SmallIntegerField(
                        choices=[(0, "pending"), (1, "active"), (2, "passed"), (3, "failed"), (4, "cancelled")],
                        default=1,
                    ),
                ),
                ("started_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="challenges", to="purchases.customer"
                    ),
                ),
                (
                    "program",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="challenges", to="programs.program"
                    ),
                ),
                (
                    "program_version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="challenges",
                        to="programs.programversion",
                    ),
                ),
                (
                    "purchase",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="challenge", to="purchases.purchase"
                    ),
                ),
            ],
            options={
                "ordering": ("-id",),
            },
        ),
        migrations.CreateModel(
            name="EnrollmentState",
            fields=[
                (
                    "enrollment",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="running_state",
                        serialize=False,
                        to="challenges.enrollment",
                    ),
                ),
                ("initial_balance", propdesk.lib.money.MoneyField(decimal_places=8, max_digits=24)),
                ("started_at", models.DateTimeField()),
                ("trading_day", models.DateField()),
                ("day_start_balance", propdesk.lib.money.MoneyField(decimal_places=8, max_digits=24)),
                ("day_start_equity", propdesk.lib.money.MoneyField(decimal_places=8, max_digits=24)),
                ("day_peak_equity", propdesk.lib.money.MoneyField(decimal_places=8, max_digits=24)),
                ("day_low_equity", propdesk.lib.money.MoneyField(decimal_places=8, max_digits=24)),
                ("high_equity", propdesk.lib.money.MoneyField(decimal_places=8, max_digits=24)),
                ("high_balance", propdesk.lib.money.MoneyField(decimal_places=8, max_digits=24)),
                ("high_higher", propdesk.lib.money.MoneyField(decimal_places=8, max_digits=24)),
                ("high_eod_balance", propdesk.lib.money.MoneyField(decimal_places=8, max_digits=24)),
                ("best_day_profit", propdesk.lib.money.MoneyField(decimal_places=8, max_digits=24)),
                ("last_at", models.DateTimeField(null=True)),
                ("last_balance", propdesk.lib.money.MoneyField(decimal_places=8, max_digits=24)),
                ("last_equity", propdesk.lib.money.MoneyField(decimal_places=8, max_digits=24)),
                ("last_flat", models.BooleanField(null=True)),
                ("last_active_at", models.DateTimeField()),
                ("trading_days", models.PositiveIntegerField()),
                ("last_counted_day", models.DateField(null=True)),
                ("paused_on", models.DateField(null=True)),
                ("verdict", models.CharField(max_length=6)),
                ("found", models.TextField(blank=True)),
                (
                    "daily_loss",
                    propdesk.lib.money.MoneyField(
                        decimal_places=8, max_digits=24, null=True, verbose_name="daily loss level"
                    ),
                ),
                (
                    "total_loss",
                    propdesk.lib.money.MoneyField(
                        decimal_places=8, max_digits=24, null=True, verbose_name="total loss level"
                    ),
                ),
                (
                    "profit_target",
                    propdesk.lib.money.MoneyField(
                        decimal_places=8, max_digits=24, null=True, verbose_name="profit target level"
                    ),
                ),
                (
                    "daily_profit",
                    propdesk.lib.money.MoneyField(
                        decimal_places=8, max_digits=24, null=True, verbose_name="daily profit level"
                    ),
                ),
                ("profit_pct", models.DecimalField(decimal_places=8, max_digits=24)),
                ("profit_target_progress_pct", models.DecimalField(decimal_places=8, max_digits=24)),
                ("daily_loss_pct", models.DecimalField(decimal_places=8, max_digits=24)),
                ("total_loss_pct", models.DecimalField(decimal_places=8, max_digits=24)),
                ("why_not_passed", models.TextField(blank=True, help_text="The target is met, but this is missing.")),
                (
                    "cannot_judge",
                    models.TextField(blank=True, help_text="Rules that are on and that the broker gives no data for."),
                ),
                (
                    "warning",
                    models.TextField(
                        blank=True, help_text="The day's early warning: most of a loss allowance is used."
                    ),
                ),
                (
                    "last_margin",
                    propdesk.lib.money.MoneyField(
                        decimal_places=8,
                        help_text="Margin in use at the last observation; it shows new positions.",
                        max_digits=24,
                        null=True,
                    ),
                ),
                (
                    "metric_at",
                    models.DateTimeField(
                        help_text="Time of the last observation kept as a metric snapshot.", null=True
                    ),
                ),
                (
                    "keep_next",
                    models.BooleanField(default=False, help_text="The next observation is kept: it follows a breach."),
                ),
            ],
            options={
                "verbose_name": "running state",
            },
        ),
        migrations.AddField(
            model_name="enrollment",
            name="challenge",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="enrollments", to="challenges.challenge"
            ),
        ),
        migrations.AddField(
            model_name="enrollment",
            name="order",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT, related_name="enrollment", to="brokers.accountorder"
            ),
        ),
        migrations.AddField(
            model_name="enrollment",
            name="predecessor",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                related_name="successor",
                to="challenges.enrollment",
            ),
        ),
        migrations.CreateModel(
            name="DailySnapshot",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("trading_day", models.DateField()),
                ("boundary_at", models.DateTimeField(help_text="When the trading day began.")),
                ("start_balance", propdesk.lib.money.MoneyField(decimal_places=8, max_digits=24)),
                (
                    "start_equity",
                    propdesk.lib.money.MoneyField(decimal_places=8, max_digits=24, verbose_name="daily start equity"),
                ),
                ("taken_at", models.DateTimeField(help_text="When the state was read that the start values are from.")),
                ("is_late", models.BooleanField(default=False, verbose_name="late")),
                (
                    "low_equity",
                    propdesk.lib.money.MoneyField(
                        decimal_places=8,
                        help_text="Lowest equity seen; filled when the day is over.",
                        max_digits=24,
                        null=True,
                    ),
                ),
                (
                    "high_equity",
                    propdesk.lib.money.MoneyField(
                        decimal_places=8,
                        help_text="Highest equity seen; filled when the day is over.",
                        max_digits=24,
                        null=True,
                    ),
                ),
                ("close_balance", propdesk.lib.money.MoneyField(decimal_places=8, max_digits=24, null=True)),
                ("close_equity", propdesk.lib.money.MoneyField(decimal_places=8, max_digits=24, null=True)),
                (
                    "enrollment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="daily_snapshots",
                        to="challenges.enrollment",
                    ),
                ),
            ],
            options={
                "ordering": ("enrollment", "trading_day"),
            },
        ),
        migrations.CreateModel(
            name="Breach",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("rule", models.CharField(max_length=40)),
                (
                    "action",
                    models.CharField(
                        choices=[("fail", "fails"), ("pause", "pauses"), ("flag", "flags")], max_length=10
                    ),
                ),
                ("trading_day", models.DateField()),
                ("level", propdesk.lib.money.MoneyField(decimal_places=8, max_digits=24, null=True)),
                ("observed", propdesk.lib.money.MoneyField(decimal_places=8, max_digits=24, null=True)),
                ("balance", propdesk.lib.money.MoneyField(decimal_places=8, max_digits=24)),
                ("equity", propdesk.lib.money.MoneyField(decimal_places=8, max_digits=24)),
                ("at", models.DateTimeField(help_text="Time of the observation that broke the rule.")),
                ("explanation", models.TextField(help_text="The formula with the numbers put in.")),
                (
                    "previous_at",
                    models.DateTimeField(help_text="Time of the observation before: the sampling gap.", null=True),
                ),
                ("previous_balance", propdesk.lib.money.MoneyField(decimal_places=8, max_digits=24, null=True)),
                ("previous_equity", propdesk.lib.money.MoneyField(decimal_places=8, max_digits=24, null=True)),
                ("terms_digest", models.CharField(max_length=64)),
                ("created_at", models.DateTimeField()),
                (
                    "enrollment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="breaches", to="challenges.enrollment"
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "breaches",
                "ordering": ("-id",),
            },
        ),
        migrations.CreateModel(
            name="UnitWatch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("unit", models.BigIntegerField(help_text="The broker's unit (its trading group id).")),
                ("leased_until", models.DateTimeField(editable=False, null=True)),
                ("tried_at", models.DateTimeField(help_text="When the unit was last asked for.", null=True)),
                (
                    "last_read_at",
                    models.DateTimeField(help_text="When the last readable answer was asked for.", null=True),
                ),
                ("read_seconds", models.FloatField(help_text="How long that answer took.", null=True)),
                (
                    "accounts_watched",
                    models.PositiveIntegerField(default=0, help_text="Accounts with an open enrollment."),
                ),
                (
                    "accounts_judged",
                    models.PositiveIntegerField(default=0, help_text="Of these, judged at the last answer."),
                ),
                (
                    "last_error",
                    models.TextField(blank=True, help_text="Why the unit cannot be judged now; empty when it can."),
                ),
                ("failing_since", models.DateTimeField(null=True)),
                (
                    "not_judged",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="Accounts not judged at the last answer, and why (the first 50).",
                    ),
                ),
                (
                    "halted_at",
                    models.DateTimeField(
                        help_text="Enforcement is halted: too many accounts broke a rule at one reading.", null=True
                    ),
                ),
                ("halt_reason", models.TextField(blank=True)),
                (
                    "confirmed_until",
                    models.DateTimeField(
                        help_text="Staff confirmed the figures: until then many breaches at once are enforced.",
                        null=True,
                    ),
                ),
                ("confirmed_by", models.CharField(blank=True, max_length=150)),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="watches",
                        to="brokers.brokerconnection",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "unit watches",
                "ordering": ("connection", "unit"),
            },
        ),
        migrations.AddIndex(
            model_name="challenge",
            index=models.Index(fields=["status", "-id"], name="challenge_status"),
        ),
        migrations.AddIndex(
            model_name="challenge",
            index=models.Index(fields=["customer", "-id"], name="challenge_customer"),
        ),
        migrations.AddConstraint(
            model_name="challenge",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", [0, 1, 2, 3, 4])), name="challenge_status_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="challenge",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status__in", [2, 3, 4]), _negated=True), ("ended_at__isnull", False), _connector="OR"
                ),
                name="challenge_over_has_end",
            ),
        ),
        migrations.AddIndex(
            model_name="enrollment",
            index=models.Index(fields=["status", "-id"], name="enrollment_status"),
        ),
        migrations.AddConstraint(
            model_name="enrollment",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status__in", [0, 1])),
                fields=("challenge",),
                name="enrollment_one_open_per_challenge",
            ),
        ),
        migrations.AddConstraint(
            model_name="enrollment",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", [0, 1, 2, 3, 4])), name="enrollment_status_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="enrollment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status", 1), _negated=True),
                    models.Q(("account__isnull", False), ("started_at__isnull", False)),
                    _connector="OR",
                ),
                name="enrollment_active_has_account",
            ),
        ),
        migrations.AddConstraint(
            model_name="enrollment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status__in", [2, 3, 4]), _negated=True), ("ended_at__isnull", False), _connector="OR"
                ),
                name="enrollment_over_has_end",
            ),
        ),
        migrations.AddConstraint(
            model_name="dailysnapshot",
            constraint=models.UniqueConstraint(fields=("enrollment", "trading_day"), name="daily_snapshot_once"),
        ),
        migrations.AddConstraint(
            model_name="breach",
            constraint=models.UniqueConstraint(
                fields=("enrollment", "rule", "trading_day"), name="breach_once_per_day"
            ),
        ),
        migrations.AddConstraint(
            model_name="breach",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("explanation", ""), _negated=True), models.Q(("terms_digest", ""), _negated=True)
                ),
                name="breach_has_evidence",
            ),
        ),
        migrations.AddConstraint(
            model_name="unitwatch",
            constraint=models.UniqueConstraint(fields=("connection", "unit"), name="unit_watch_once"),
        ),
        migrations.AddConstraint(
            model_name="unitwatch",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("halted_at__isnull", True), models.Q(("halt_reason", ""), _negated=True), _connector="OR"
                ),
                name="unit_watch_halt_has_reason",
            ),
        ),
    ]
