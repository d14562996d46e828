"""Who trades, and who is left alone."""

import math
import statistics

from brokers.simulator.market import Market
from brokers.simulator.traders import temperament
from tests.brokers.simulator.process import DEMO, REAL, Json, Simulator, wait_until


def ticks(simulator: Simulator) -> int:
    return int(simulator.control("market")["ticks"])


def let_pass(simulator: Simulator, count: int) -> None:
    target = ticks(simulator) + count
    wait_until(lambda: ticks(simulator) >= target)


def trading_account(simulator: Simulator) -> int:
    """An account of the DEMO unit that holds positions right now."""
    number = simulator.open_account()
    wait_until(lambda: simulator.state(number)["positions"])
    return number


def disabled_with_positions(simulator: Simulator) -> int:
    """An account that was disabled while it held positions; now and then it closes them just before that."""
    number = trading_account(simulator)

    def is_caught() -> bool:
        simulator.ok("accounts/enable", enable=True, unit=DEMO, accountNumbers=[number])
        wait_until(lambda: simulator.state(number)["positions"])
        simulator.ok("accounts/enable", enable=False, unit=DEMO, accountNumbers=[number])
        return bool(simulator.state(number)["positions"])

    wait_until(is_caught)
    return number


def figures(simulator: Simulator, number: int) -> Json:
    row = simulator.state(number)
    return row["balance"], row["equity"], row["positions"]


def test_a_trader_waits_trades_and_the_figures_agree(busy_simulator: Simulator) -> None:
    before = ticks(busy_simulator)
    number = busy_simulator.open_account()
    wait_until(lambda: busy_simulator.state(number)["positions"])
    assert ticks(busy_simulator) >= before + 30
    wait_until(lambda: busy_simulator.state(number)["balance"] != 100000.0)
    stats = busy_simulator.stats(number)
    assert stats["equity"] == round(stats["balance"] + stats["pnl"], 2)
    assert stats["freeMargin"] == round(stats["equity"] - stats["margin"], 2)


def test_the_wait_starts_when_an_account_is_enabled(busy_simulator: Simulator) -> None:
    number = busy_simulator.open_account(enabled=False)
    let_pass(busy_simulator, 70)
    enabled_at = ticks(busy_simulator)
    busy_simulator.ok("accounts/enable", enable=True, unit=DEMO, accountNumbers=[number])
    wait_until(lambda: busy_simulator.state(number)["positions"])
    assert ticks(busy_simulator) >= enabled_at + 30


def test_an_account_of_the_real_unit_trades_only_while_it_is_told_to(busy_simulator: Simulator) -> None:
    payer, funded = busy_simulator.open_account(unit=REAL), busy_simulator.open_account(unit=REAL)
    before = ticks(busy_simulator)
    assert busy_simulator.control(f"accounts/{funded}", {"trades": True})["trades"] is True
    wait_until(lambda: busy_simulator.state(funded)["positions"])
    assert ticks(busy_simulator) >= before + 30
    busy_simulator.control(f"accounts/{funded}", {"trades": False})
    stood_still = figures(busy_simulator, funded)
    let_pass(busy_simulator, 100)
    assert figures(busy_simulator, funded) == stood_still
    assert figures(busy_simulator, payer) == (100000.0, 100000.0, [])


def test_disabled_frozen_real_and_unfunded_accounts_never_trade(busy_simulator: Simulator) -> None:
    disabled = busy_simulator.open_account(enabled=False)
    frozen = busy_simulator.open_account()
    busy_simulator.control(f"accounts/{frozen}", {"frozen": True})
    real = busy_simulator.open_account(unit=REAL)
    unfunded = busy_simulator.open_account(funds=0)
    trading_account(busy_simulator)
    let_pass(busy_simulator, 100)
    for number in (disabled, frozen, real):
        assert figures(busy_simulator, number) == (100000.0, 100000.0, [])
    assert figures(busy_simulator, unfunded) == (0.0, 0.0, [])


def test_a_disabled_accounts_positions_float_until_they_are_closed(busy_simulator: Simulator) -> None:
    number = disabled_with_positions(busy_simulator)
    balance, equity, positions = figures(busy_simulator, number)
    wait_until(lambda: busy_simulator.state(number)["equity"] != equity)
    # Long enough for any trader to have closed one and opened another.
    let_pass(busy_simulator, 250)
    later = busy_simulator.state(number)
    assert later["balance"] == balance
    assert [each["positionId"] for each in later["positions"]] == [each["positionId"] for each in positions]

    busy_simulator.ok("accounts/close-all-positions", accountNumber=number, unit=DEMO)
    flat = figures(busy_simulator, number)
    assert flat == (flat[0], flat[0], [])
    let_pass(busy_simulator, 30)
    assert figures(busy_simulator, number) == flat


def test_the_broker_stops_a_disabled_account_out(busy_simulator: Simulator) -> None:
    number = busy_simulator.open_account(funds=1)
    busy_simulator.ok("accounts/enable", enable=False, unit=DEMO, accountNumbers=[number])
    position = {"symbol": "BTCUSD", "lots": 1, "quantity": 1}
    busy_simulator.control(f"accounts/{number}", {"positions": [position], "frozen": False})
    wait_until(lambda: busy_simulator.state(number)["positions"] == [])


def test_a_frozen_account_stands_still_and_goes_on_from_there_when_released(busy_simulator: Simulator) -> None:
    number = busy_simulator.open_account()
    # Bought far below today's price: only by its given loss, and not by its opening price, may the market go on.
    position = {"symbol": "BTCUSD", "lots": 1, "quantity": 1, "openPrice": 20000, "realTimePL": -3000}
    busy_simulator.control(f"accounts/{number}", {"positions": [position]})
    before = figures(busy_simulator, number)
    let_pass(busy_simulator, 60)
    assert figures(busy_simulator, number) == before
    # So that no trader adds anything, however long it takes us to look.
    busy_simulator.ok("accounts/enable", enable=False, unit=DEMO, accountNumbers=[number])
    busy_simulator.control(f"accounts/{number}", {"frozen": False})
    wait_until(lambda: figures(busy_simulator, number) != before)
    assert abs(busy_simulator.state(number)["equity"] - 97000) < 10000


def test_nothing_moves_while_the_market_stands_still(busy_simulator: Simulator) -> None:
    trading_account(busy_simulator)
    market = busy_simulator.control("market", {"running": False})
    accounts = busy_simulator.control("accounts")
    busy_simulator.ok("units/get-all")
    assert busy_simulator.control("market") == market
    assert busy_simulator.control("accounts") == accounts
    busy_simulator.control("market", {"running": True})
    wait_until(lambda: busy_simulator.control("accounts") != accounts)


def test_the_same_seed_gives_the_same_prices() -> None:
    def prices(seed: int) -> dict[str, float]:
        market = Market(seed=seed, volatility=1, ticks=0, running=True, prices={})
        for _ in range(50):
            market.tick()
        return market.prices

    assert prices(1) == prices(1)
    assert prices(1) != prices(2)


def test_prices_move_as_much_as_the_symbol_and_the_volatility_say() -> None:
    market = Market(seed=5, volatility=3, ticks=0, running=True, prices={})
    moves = []
    for _ in range(5000):
        before = market.prices["BTCUSD"]
        market.tick()
        moves.append(math.log(market.prices["BTCUSD"] / before))
    assert abs(statistics.stdev(moves) / (3 * market.quotes["BTCUSD"].sigma) - 1) < 0.05


def test_each_trader_keeps_a_temperament_of_its_own() -> None:
    assert temperament(seed=1, number=5) == temperament(seed=1, number=5)
    assert temperament(seed=1, number=5) != temperament(seed=1, number=6)
