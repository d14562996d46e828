"""Schemathesis over the OpenAPI document of a running server, in one session at a time."""

import subprocess
import sys
from pathlib import Path

# What must hold of every answer, whatever was asked.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
)


ALL_PHASES = "examples,coverage,fuzzing,stateful"
QUICK_PHASES = "examples,fuzzing"


def ask_everything(*, url: str, secret: str, phases: str, examples: int, seed: int) -> tuple[bool, str]:
    """Whether every check held, and what schemathesis says. Without `secret` nobody speaks."""
    command = [
        *[str(Path(sys.executable).with_name("schemathesis")), "--no-color", "run", f"{url}/api/schema?format=json"],
        *["--phases", phases, "--mode", "all", "--checks", ",".join(CHECKS)],
        *["--max-examples", str(examples), "--seed", str(seed)],
        *["--generation-allow-x00", "true", "--generation-database", "none", "--continue-on-failure"],
        *["--request-timeout", "30", "--warnings", "off", "--suppress-health-check", "all"],
    ]
    if secret:
        command += ["--header", f"Authorization: Bearer {secret}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout + done.stderr
