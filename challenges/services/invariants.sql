-- What must hold at any moment, whatever failed or was killed. One row per violation: invariant, row id, detail.
-- Run after every chaos run and every five minutes in production (`challenges.services.invariants`).
--
-- %(edges)s  the legal status changes: [{"row": "purchase", "source": 0, "target": 1}, ...]
-- %(before)s work begun before this moment should have come to an end, or be in review, by now
--
-- I9 is kept by tests (no secret in dumps, logs, Redis, tracebacks) beside what can be seen here; I11 waits for payouts.

WITH
edges AS (
    SELECT * FROM jsonb_to_recordset(%(edges)s::jsonb) AS edge("row" text, source integer, target integer)
),
history AS (
    SELECT 'accountorder' AS "row", subject_id, id, from_status, to_status FROM brokers_accountorderevent
    UNION ALL SELECT 'brokeroperation', subject_id, id, from_status, to_status FROM brokers_brokeroperationevent
    UNION ALL SELECT 'purchase', subject_id, id, from_status, to_status FROM purchases_purchaseevent
    UNION ALL SELECT 'challenge', subject_id, id, from_status, to_status FROM challenges_challengeevent
    UNION ALL SELECT 'enrollment', subject_id, id, from_status, to_status FROM challenges_enrollmentevent
),
steps AS (
    SELECT *, lag(to_status) OVER changes AS came_from, lead(id) OVER changes IS NULL AS is_last
    FROM history WINDOW changes AS (PARTITION BY "row", subject_id ORDER BY id)
),
standing AS (
    SELECT 'accountorder' AS "row", id, status FROM brokers_accountorder
    UNION ALL SELECT 'brokeroperation', id, status FROM brokers_brokeroperation
    UNION ALL SELECT 'purchase', id, status FROM purchases_purchase
    UNION ALL SELECT 'challenge', id, status FROM challenges_challenge
    UNION ALL SELECT 'enrollment', id, status FROM challenges_enrollment
),
-- Every account that came of an order, the extra ones among them, by the address it was created with.
opened AS (
    SELECT creation.order_id, account.id, account.login, account.is_enabled, account.is_funded, account.is_orphan
    FROM brokers_brokeroperation AS creation
    JOIN brokers_tradingaccount AS account
        ON account.marker = creation.marker AND account.connection_id = creation.connection_id
    WHERE creation.kind = 'create' AND creation.marker <> ''
)

SELECT 'I1' AS invariant, order_id AS row_id,
       'account order with more than one enabled account: ' || string_agg(login::text, ', ') AS detail
FROM opened WHERE is_enabled GROUP BY order_id HAVING count(DISTINCT id) > 1

UNION ALL
SELECT 'I1', order_id, 'account order with more than one funded account: ' || string_agg(login::text, ', ')
FROM opened WHERE is_funded GROUP BY order_id HAVING count(DISTINCT id) > 1

UNION ALL
SELECT 'I1', opened.id, 'orphan account ' || opened.login || ' is not disabled, and nothing is under way to do so'
FROM opened
WHERE opened.is_orphan AND NOT EXISTS (
    SELECT FROM brokers_brokeroperation AS operation
    WHERE operation.account_id = opened.id AND operation.kind = 'disable' AND operation.status IN (0, 1, 2, 4, 5)
)

UNION ALL
SELECT 'I2', purchase.id, 'money was taken, and the purchase neither moves on nor shows up for review'
FROM purchases_purchase AS purchase
JOIN brokers_brokeroperation AS payment ON payment.id = purchase.payment_id
WHERE payment.status = 2 AND purchase.review_reason = '' AND purchase.updated_at < %(before)s
-- Also one that is being refunded: asking for it is a change, and what is not paid back in half an hour is shown.
AND purchase.status IN (0, 1, 2, 4)

UNION ALL
SELECT 'I3', entry.transaction_id, 'ledger transaction does not balance: ' || sum(entry.amount) || ' ' || entry.currency
FROM brokers_ledgerentry AS entry GROUP BY entry.transaction_id, entry.currency HAVING sum(entry.amount) <> 0

UNION ALL
SELECT 'I3', operation.id, operation.kind || ' of ' || operation.amount || ' is done and not in the ledger'
FROM brokers_brokeroperation AS operation
WHERE operation.kind IN ('deposit', 'withdraw') AND operation.status = 2
AND NOT EXISTS (SELECT FROM brokers_ledgertransaction AS written WHERE written.operation_id = operation.id)

UNION ALL
SELECT 'I3', written.id, 'ledger transaction of operation ' || written.operation_id || ', which is not done'
FROM brokers_ledgertransaction AS written
LEFT JOIN brokers_brokeroperation AS operation ON operation.id = written.operation_id
WHERE operation.id IS NULL OR operation.status <> 2

-- The broker's side of I3: a comparison read every transfer and trade of the account, a later one found it so again, and
-- in an hour nobody has said that it may stay. What an operation was changing meanwhile is never such a difference.
UNION ALL
SELECT 'I3', difference.id, 'money at account ' || difference.login || ' is not as in our books: ' || difference.gap
FROM brokers_difference AS difference
WHERE difference.kind IN ('transfer', 'balance') AND difference.status = 0
AND difference.first_seen_at < %(before)s AND difference.last_seen_at > difference.first_seen_at

UNION ALL
SELECT 'I4', steps.subject_id, steps."row" || ' went from ' || coalesce(steps.from_status::text, 'nothing') || ' to '
       || steps.to_status || ', having been ' || coalesce(steps.came_from::text, 'nothing')
FROM steps
WHERE steps.from_status IS DISTINCT FROM steps.came_from
OR (steps.from_status IS NOT NULL AND NOT EXISTS (
    SELECT FROM edges
    WHERE edges."row" = steps."row" AND edges.source = steps.from_status AND edges.target = steps.to_status
))

UNION ALL
SELECT 'I5', breach.id, 'breach without evidence, or of an enrollment that goes on as if nothing had happened'
FROM challenges_breach AS breach
JOIN challenges_enrollment AS enrollment ON enrollment.id = breach.enrollment_id
WHERE breach.explanation = '' OR breach.terms_digest = '' OR (breach.action = 'fail' AND enrollment.status IN (0, 1))

UNION ALL
SELECT 'I6', enrollment.id, 'the enrollment is over, and its account is not known to be disabled and flat'
FROM challenges_enrollment AS enrollment
JOIN brokers_tradingaccount AS account ON account.id = enrollment.account_id
WHERE enrollment.status IN (2, 3, 4) AND enrollment.ended_at < %(before)s
AND (account.is_enabled OR NOT EXISTS (
    SELECT FROM brokers_brokeroperation AS flattening
    WHERE flattening.account_id = account.id AND flattening.kind = 'close_all' AND flattening.status = 2
    AND flattening.finished_at >= enrollment.ended_at
))
AND NOT EXISTS (
    SELECT FROM brokers_brokeroperation AS shown
    WHERE shown.account_id = account.id AND shown.kind IN ('disable', 'close_all') AND shown.status = 5
    -- What a pause of before has left in review tells nobody that the account should be out of trading now.
    AND (shown.created_at >= enrollment.ended_at OR shown.subject = 'enrollment:' || enrollment.id || ':close')
)

UNION ALL
SELECT 'I7', purchase.id, 'the purchase is refunded, and account ' || account.login || ' is enabled'
FROM purchases_purchase AS purchase
JOIN opened AS account ON account.order_id = purchase.account_order_id
WHERE purchase.status = 5 AND account.is_enabled

UNION ALL
SELECT 'I8', challenge.id, 'the challenge does not run on the version of the terms that was bought'
FROM challenges_challenge AS challenge
JOIN purchases_purchase AS purchase ON purchase.id = challenge.purchase_id
WHERE challenge.program_version_id <> purchase.program_version_id

UNION ALL
SELECT 'I8', breach.id, 'the breach was judged by other terms than those that were bought'
FROM challenges_breach AS breach
JOIN challenges_enrollment AS enrollment ON enrollment.id = breach.enrollment_id
JOIN challenges_challenge AS challenge ON challenge.id = enrollment.challenge_id
JOIN programs_programversion AS version ON version.id = challenge.program_version_id
WHERE breach.terms_digest <> version.digest

UNION ALL
SELECT 'I9', connection.id, 'the key of the connection is stored in clear'
FROM brokers_brokerconnection AS connection WHERE connection.api_key NOT LIKE 'gAAAA%%'

UNION ALL
SELECT 'I9', operation.id, 'what is kept of the operation holds a password or a key'
FROM brokers_brokeroperation AS operation
WHERE concat(operation.evidence, operation.baseline) ~* '"(password|api_?key|authorization)"'

UNION ALL
SELECT 'I10', standing.id, standing."row" || ' has status ' || standing.status || ' without the event that says so'
FROM standing
LEFT JOIN steps ON steps."row" = standing."row" AND steps.subject_id = standing.id AND steps.is_last
WHERE steps.to_status IS DISTINCT FROM standing.status

UNION ALL
SELECT 'I12', event.subject_id, 'purchase was paid, and the operation that took the money is gone'
FROM purchases_purchaseevent AS event
WHERE event.from_status = 0 AND event.to_status = 1 AND NOT EXISTS (
    SELECT FROM brokers_brokeroperation AS payment
    WHERE payment.subject = 'purchase:' || event.subject_id || ':payment'
)

ORDER BY 1, 2
