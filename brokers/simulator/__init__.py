"""A broker on loopback: the ThinkMarkets prop API over simulated accounts.

It imports neither Django nor the rest of `brokers`.
"""
