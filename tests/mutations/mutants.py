"""Which source edits take a mechanism out, and which tests have to fail then.

An edit names a text that occurs exactly once in its file; keep it as short as that allows. `tests` are the quickest
ones that should notice.
"""

from dataclasses import dataclass

SERVICES, MODELS, CLIENT, LIB = "brokers/services", "brokers/models", "brokers/client", "propdesk/lib"
FIRST_MIGRATION = "brokers/migrations/0001_initial.py"
MECHANISMS, ORDERS = "tests/brokers/test_mechanisms.py", "tests/brokers/test_orders.py"
RECOVERY, OPERATIONS = "tests/brokers/test_order_recovery.py", "tests/brokers/test_operations.py"
EFFECTS, CANCELLING, LEDGER = (f"tests/brokers/test_{name}.py" for name in ("effects", "cancelling", "ledger"))
LEASES, TRANSITIONS = "tests/brokers/test_leases.py", "tests/propdesk/test_transitions.py"
GUARDS, TRANSPORT = "tests/brokers/client/test_guards.py", "tests/brokers/client/test_transport.py"
TWICE, CONNECTIONS = "tests/brokers/test_second_readings.py", "tests/brokers/test_connections.py"


@dataclass(frozen=True, slots=True)
class Mutant:
    """`edits` are pairs of old and new text."""

    mechanism: str
    path: str
    edits: tuple[tuple[str, str], ...]
    tests: tuple[str, ...]


def one(mechanism: str, path: str, old: str, new: str, *tests: str) -> Mutant:
    return Mutant(mechanism, path, ((old, new),), tests)


MUTANTS = (
    # What is known of a call
    one("5xx to a write is in doubt", f"{CLIENT}/thinkmarkets.py",
        "otherwise=OutcomeUnknownError", "otherwise=RefusedError",
        f"{TRANSPORT}::test_a_write_without_a_clear_answer_is_in_doubt"),
    one("a broken answer to a write is in doubt", f"{CLIENT}/thinkmarkets.py",
        "raise OutcomeUnknownError(str(exc))", "raise RefusedError(str(exc))",
        f"{TRANSPORT}::test_a_write_without_a_clear_answer_is_in_doubt"),
    one("a call in doubt is no failure", f"{SERVICES}/calls.py",
        "put_in_doubt(operation, work, reason=str(exc))",
        "conclude_refused(operation, work, message=str(exc))",
        f"{ORDERS}::test_a_lost_reply_changes_nothing"),
    one("found in its call, it is in doubt", f"{SERVICES}/calls.py",
        'put_in_doubt(operation, work, reason="Found',
        'send_back(operation, work, reason="Found',
        f"{RECOVERY}::test_a_worker_killed_in_the_middle_of_a_call_is_recovered_from"),
    one("the intent is committed before the call", f"{SERVICES}/calls.py",
        "    if _begin(operation, procedure, work):\n        _send(",
        "    if procedure.baseline(operation, work) != 0:\n        _send(",
        f"{RECOVERY}::test_a_worker_killed_in_the_middle_of_a_call_is_recovered_from"),
    one("no call inside a transaction", f"{CLIENT}/transport.py",
        "        _refuse_inside_transaction()\n", "",
        f"{TRANSPORT}::test_a_call_inside_a_transaction_is_a_programming_error"),
    # What a reading may conclude
    one("settle time", f"{SERVICES}/calls.py",
        '"settle_at": ends + procedure.settle_after(work.connection)', '"settle_at": now',
        f"{ORDERS}::test_absence_is_concluded_only_from_a_reading_begun_after_the_settle_time",
        f"{MECHANISMS}::test_settling_keeps_a_late_account_from_being_made_twice[on]"),
    one("money waits for the quarantine", f"{SERVICES}/procedures.py",
        "max(connection.settle_seconds, connection.quarantine_seconds)", "0",
        f"{OPERATIONS}::test_a_withdrawal_without_effect_is_repeated_after_the_quarantine"),
    one("a second reading before absence", f"{SERVICES}/calls.py",
        "finding = procedure.look(operation, work, since=begun", "_ = (begun", TWICE),
    one("lookup before a retry", f"{SERVICES}/procedures.py",
        "if not marked:", "if True:", f"{ORDERS}::test_a_lost_reply_changes_nothing"),
    one("adoption by marker", f"{SERVICES}/procedures.py",
        "if row.email.lower() == wanted)", "if row.email)",
        f"{ORDERS}::test_a_lost_reply_changes_nothing"),
    one("transfers decide about money", f"{SERVICES}/procedures.py",
        'after = summary(read_transfers_twice(work, _account(operation), at_least=before["count"]))', "after = before",
        f"{OPERATIONS}::test_a_withdrawal_whose_reply_is_lost_is_settled_by_the_transfers"),
    one("nothing is guessed about money", f"{SERVICES}/procedures.py",
        "and moved == count * ours:", "and moved != 0:",
        f"{OPERATIONS}::test_one_transfer_of_another_amount_is_not_taken_for_ours"),
    one("an older list of transfers is no data", f"{SERVICES}/transfers.py",
        "fewest = max(at_least, _known(account))", "fewest = 0",
        f"{OPERATIONS}::test_an_answer_that_misses_transfers_of_ours_is_no_baseline"),
    one("95 % of what we know", f"{SERVICES}/whole_lists.py",
        'SOUND_SHARE = Decimal("0.95")', "SOUND_SHARE = Decimal(0)",
        f"{ORDERS}::test_a_list_that_misses_known_accounts_is_never_read_as_absent"),
    one("switching is read back", f"{SERVICES}/procedures.py",
        "verdict = Verdict.DONE if details.is_enabled == (operation.kind == Kind.ENABLE) else Verdict.NOTHING",
        "verdict = Verdict.DONE",
        f"{OPERATIONS}::test_taking_out_goes_on_until_it_is_verified",
        f"{OPERATIONS}::test_an_account_that_cannot_be_disabled_ends_in_review"),
    one("closing is read back", f"{SERVICES}/procedures.py",
        "if stats.margin == 0 and stats.equity == stats.balance:", "if True:",
        f"{OPERATIONS}::test_taking_out_goes_on_until_it_is_verified"),
    one("two lists of transfers agree", f"{SERVICES}/transfers.py",
        "if not same_figures(summary(first), summary(second)):", "if len(second) < len(first):",
        "tests/brokers/test_second_readings.py::test_a_payment_that_one_list_shows_twice_is_taken_once"),
    one("trying again is for what is in review", f"{SERVICES}/operations.py",
        "    if operation.status != Status.NEEDS_REVIEW:\n        # Two", "    if False:\n        # Two",
        "tests/brokers/test_doubt_and_review.py"),
    one("no money is called refused while it may still land", f"{SERVICES}/operations.py",
        "if not happened and operation.was_in_doubt", "if False and operation.was_in_doubt",
        "tests/brokers/test_doubt_and_review.py"),
    one("only an answered call, or a late reading, makes sure", f"{SERVICES}/calls.py",
        "operation.status == Status.IN_DOUBT and not is_settled:", "False:",
        "tests/brokers/test_doubt_and_review.py"),
    one("what a lost enabling may undo is done again", f"{SERVICES}/taking_out.py",
        "if until is not None and until > now:", "if False:",
        "tests/brokers/test_late_enabling.py"),
    # Orders
    one("quarantine", f"{SERVICES}/order_steps.py",
        "return (last or order.created_at) + quarantine_of(work.connection)", "return order.created_at",
        f"{RECOVERY}::test_an_account_that_appears_late_is_recorded_and_disabled",
        f"{MECHANISMS}::test_the_quarantine_finds_the_account_that_a_late_creation_leaves_behind[on]"),
    one("an operation remembers its doubt", f"{SERVICES}/outcomes.py",
        "error_message=reason, was_in_doubt=True,", "error_message=reason,",
        f"{OPERATIONS}::test_a_withdrawal_whose_reply_is_lost_is_settled_by_the_transfers"),
    one("an order remembers its doubt", f"{SERVICES}/outcomes.py",
        ".update(was_in_doubt=True)", ".update(was_in_doubt=False)",
        f"{ORDERS}::test_a_lost_reply_changes_nothing"),
    one("excess is taken out again", f"{SERVICES}/order_steps.py",
        "    return check_money(order, work)\n", "    return None\n",
        f"{RECOVERY}::test_a_deposit_that_lands_late_is_taken_out_before_the_account_is_enabled"),
    one("enabling comes last", f"{SERVICES}/order_steps.py",
        "(create_account, fund_account, look_for_late_effects, check_money, enable_account)",
        "(create_account, enable_account, fund_account, look_for_late_effects, check_money)",
        f"{ORDERS}::test_an_account_that_holds_anything_but_its_deposit_is_not_enabled"),
    one("accounts are created disabled", f"{CLIENT}/base.py",
        "is_enabled: bool = False", "is_enabled: bool = True",
        f"{ORDERS}::test_an_account_that_holds_anything_but_its_deposit_is_not_enabled",
        f"{ORDERS}::test_money_that_staff_moved_meanwhile_is_not_guessed_about"),
    one("a cancelled order does not become ready", f"{SERVICES}/orders.py",
        "case None if _is_cancelled(order):", "case None if False:",
        f"{CANCELLING}::test_an_order_cancelled_while_it_is_being_enabled_does_not_become_ready"),
    # One worker at a time
    one("one intent per subject", FIRST_MIGRATION,
        'fields=("subject", "kind", "generation"), name="operation_intent_once"',
        'fields=("subject", "kind", "generation", "id"), name="operation_intent_once"',
        f"{MECHANISMS}::test_the_unique_intent_keeps_two_workers_from_creating_one_account_each[on]"),
    one("one money operation at a time", FIRST_MIGRATION,
        'fields=("account",),\n                name="operation_one_money_in_flight"',
        'fields=("account", "id"),\n                name="operation_one_money_in_flight"',
        f"{OPERATIONS}::test_the_database_refuses_a_second_money_operation_in_flight"),
    one("the lease is held before a call", f"{SERVICES}/leases.py",
        "if self.until <= now or not self._write(leased_until=until):", "if False:",
        f"{MECHANISMS}::test_the_fence_keeps_a_worker_whose_lease_was_taken_over_from_calling[on]", LEASES),
    one("the lease is held before an intent", f"{SERVICES}/order_steps.py",
        "with work.lease.fence():", "with transaction.atomic():",
        f"{MECHANISMS}::test_the_fence_keeps_a_worker_whose_lease_was_taken_over_from_calling[on]"),
    one("who has lost the lease writes nothing", f"{SERVICES}/leases.py",
        '.values_list("pk", flat=True).first() is None:', ".count() < 0:",
        f"{MECHANISMS}::test_the_fence_keeps_a_worker_that_was_held_up_from_writing_what_it_knows[on]", LEASES),
    one("the machine's clock is the database's", f"{SERVICES}/leases.py",
        "if not before - MARGIN <= there <= after + MARGIN:", "if False:", LEASES),
    one("a leased order is nobody else's", f"{MODELS}/orders.py",
        "Q(leased_until=None) | Q(leased_until__lte=now)", "Q()", LEASES),
    one("a leased operation is nobody else's", f"{MODELS}/operations.py",
        "Q(leased_until=None) | Q(leased_until__lte=now)", "Q()", LEASES),
    one("a lease is claimed under a lock", f"{SERVICES}/leases.py",
        'order = due.select_for_update(of=("self",), skip_locked=True)', "order = due", LEASES),
    one("a claim does not wait for another", f"{SERVICES}/leases.py",
        'operation = due.select_for_update(of=("self",), skip_locked=True)',
        'operation = due.select_for_update(of=("self",))', LEASES),
    one("a status changes from what was seen", f"{LIB}/transitions.py",
        "filter(pk=row.pk, status=source)", "filter(pk=row.pk)", TRANSITIONS),
    one("a status and its event are written together", f"{LIB}/transitions.py",
        '    with transaction.atomic():\n        values = {"status": target, "updated_at": now, **changes}\n        if',
        '    if True:\n        values = {"status": target, "updated_at": now, **changes}\n        if',
        TRANSITIONS),
    one("done is written once", f"{SERVICES}/calls.py",
        "if status != operation.status:", "if False:",
        f"{LEDGER}::test_a_worker_that_comes_after_the_decision_of_staff_books_nothing",
        f"{OPERATIONS}::test_what_staff_decide_during_a_call_counts"),
    one("a reset under way blocks the next", f"{SERVICES}/password_resets.py",
        "if earlier.unfinished().exists():", "if False:",
        f"{EFFECTS}::test_a_reset_in_doubt_is_over_once_its_effect_can_no_longer_appear"),
    # The ledger
    one("the ledger is append-only", "brokers/migrations/0004_ledger_guards.py",
        '        append_only("brokers_ledgerentry"),\n', "", f"{LEDGER}::test_the_ledger_cannot_be_changed"),
    one("the ledger balances", "brokers/migrations/0004_ledger_guards.py",
        "HAVING sum(amount) <> 0", "HAVING false", f"{LEDGER}::test_the_database_refuses_what_does_not_balance"),
    # Courtesy and secrets
    one("rate limit", f"{CLIENT}/guards.py", "self._tokens -= 1", "pass", GUARDS),
    one("breaker", f"{CLIENT}/guards.py", "if self.is_open and now < self._retry_at:", "if False:", GUARDS),
    one("logs are redacted", f"{LIB}/redaction.py",
        r'text = SECRET.sub(rf"\1\2{MASK}", text)', "_ = SECRET", "tests/propdesk/test_redaction.py"),
    Mutant("keys are encrypted at rest", f"{LIB}/fields.py", (
        ("cipher().decrypt(value.encode()).decode()", "value"),
        ("cipher().encrypt(str(value).encode()).decode()", "value"),
    ), (f"{CONNECTIONS}::test_the_key_is_encrypted_at_rest",)),
)  # fmt: skip
