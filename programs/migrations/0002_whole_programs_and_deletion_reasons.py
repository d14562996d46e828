"""The rules that span rows, held by the database too; and why a program was deleted."""

import django.db.models.functions.math
from django.db import migrations, models

# At the end of the transaction, so that the phases of a program may be replaced one by one.
_PHASES = """
CREATE FUNCTION programs_check_phases(checked_program bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE broken text;
BEGIN
    SELECT CASE
        WHEN count(*) > 20 THEN 'program_at_most_20_phases'
        WHEN max(phase.phase_index) <> count(*) THEN 'program_phase_indexes_without_gaps'
        WHEN bool_or(phase.phase_type = 1 AND phase.phase_index <> total.phases) THEN 'program_funded_phase_last'
        WHEN bool_or(phase.phase_type <> account_group.mode) THEN 'phase_group_of_its_mode'
        WHEN bool_or(account_group.currency <> program.price_currency) THEN 'phase_group_of_program_currency'
    END INTO broken
    FROM programs_phase phase
    JOIN programs_program program ON program.id = phase.program_id
    JOIN brokers_accountgroup account_group ON account_group.id = phase.account_group_id
    CROSS JOIN (SELECT count(*) AS phases FROM programs_phase WHERE program_id = checked_program) total
    WHERE phase.program_id = checked_program;
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'program % violates "%"', checked_program, broken
            USING ERRCODE = 'check_violation', CONSTRAINT = broken;
    END IF;
END $$;

CREATE FUNCTION programs_phase_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM programs_check_phases(coalesce(NEW.program_id, OLD.program_id));
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER programs_phase_whole AFTER INSERT OR UPDATE OR DELETE ON programs_phase
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION programs_phase_changed();

CREATE FUNCTION programs_currency_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM programs_check_phases(NEW.id);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER programs_program_whole AFTER UPDATE OF price_currency ON programs_program
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.price_currency <> NEW.price_currency)
    EXECUTE FUNCTION programs_currency_changed();

CREATE FUNCTION programs_group_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM programs_check_phases(program_id)
    FROM (SELECT DISTINCT program_id FROM programs_phase WHERE account_group_id = NEW.id) AS users;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER programs_group_whole AFTER UPDATE OF mode, currency ON brokers_accountgroup
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.mode <> NEW.mode OR OLD.currency <> NEW.currency)
    EXECUTE FUNCTION programs_group_changed();
"""
_NO_PHASES = """
DROP TRIGGER programs_group_whole ON brokers_accountgroup;
DROP TRIGGER programs_program_whole ON programs_program;
DROP TRIGGER programs_phase_whole ON programs_phase;
DROP FUNCTION programs_group_changed();
DROP FUNCTION programs_currency_changed();
DROP FUNCTION programs_phase_changed();
DROP FUNCTION programs_check_phases(bigint);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("programs", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="deletionrecord",
            name="reason",
            field=models.TextField(blank=True, default=""),
        ),
        migrations.AddConstraint(
            model_name="program",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("price", django.db.models.functions.math.Round("price", precision=0)),
                        ("price_currency__in", ["CLP", "JPY", "KRW", "VND"]),
                    ),
                    models.Q(
                        ("price", django.db.models.functions.math.Round("price", precision=2)),
                        (
                            "price_currency__in",
                            [
                                "AED",
                                "AUD",
                                "BGN",
                                "BRL",
                                "CAD",
                                "CHF",
                                "CNY",
                                "CZK",
                                "DKK",
                                "EUR",
                                "GBP",
                                "HKD",
                                "HUF",
                                "IDR",
                                "ILS",
                                "INR",
                                "MXN",
                                "MYR",
                                "NOK",
                                "NZD",
                                "PHP",
                                "PLN",
                                "RON",
                                "SAR",
                                "SEK",
                                "SGD",
                                "THB",
                                "TRY",
                                "USD",
                                "ZAR",
                            ],
                        ),
                    ),
                    models.Q(
                        ("price", django.db.models.functions.math.Round("price", precision=3)),
                        ("price_currency__in", ["BHD", "JOD", "KWD", "OMR", "TND"]),
                    ),
                    _connector="OR",
                ),
                name="program_price_in_its_currency",
            ),
        ),
        migrations.RunSQL(_PHASES, _NO_PHASES),
    ]
