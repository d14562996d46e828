"""The chaos run: real processes against a broker that misbehaves, killed again and again. `make chaos`."""
