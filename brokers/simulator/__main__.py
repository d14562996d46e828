"""`python -m brokers.simulator`: the simulator without Django."""

import sys
from argparse import ArgumentParser

from brokers.simulator.options import Options, add_arguments
from brokers.simulator.server import run

parser = ArgumentParser(prog="brokersim", description="A broker on loopback that speaks the ThinkMarkets prop API.")
add_arguments(parser)
sys.exit(run(Options.of(vars(parser.parse_args()))))
