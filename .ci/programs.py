"""What the checks with other programs have in common: our binary, virtual environments, ports, listeners."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def bitstap():
    """Returns our binary, the newest one."""
    found = [TARGET / kind / "bitstap" for kind in ("release", "debug")]
    found = [path for path in found if path.exists()]
    if not found:
        sys.exit("build bitstap first: cargo build")
    return max(found, key=lambda path: path.stat().st_mtime)


def missing(what):
    """Says that something cannot be had; where CI=true that is a failure."""
    if os.environ.get("CI") == "true":
        sys.exit(f"CI=true, but {what}")
    print(f"left out: {what}")


def environment(name, probe, *packages):
    """Returns the bin folder of a virtual environment with these packages, kept in the target folder; `probe`
    is a file of it that tells that they are installed. None where they cannot be had."""
    venv = TARGET / name
    if not list(venv.glob(probe)):
        try:
            subprocess.run([sys.executable, "-m", "venv", venv], check=True)
            pip = [venv / "bin" / "pip", "install", "--quiet", *packages]
            subprocess.run(pip, check=True, timeout=600)
        except (OSError, subprocess.SubprocessError) as error:
            missing(f"{', '.join(packages)} cannot be installed: {error}")
            return None
    return venv / "bin"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    """Waits until somebody listens on a port of this machine."""
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    sys.exit(f"nobody listens on port {port} after a minute")


def started(arguments):
    """Starts a listening bitstap and returns it with its address."""
    process = subprocess.Popen([*arguments, "--json"], stdout=subprocess.PIPE, text=True)
    ready = json.loads(process.stdout.readline())
    return process, ready["listen"][0]


def stop(processes):
    """Interrupts the programs, the last one first."""
    for process in reversed(processes):
        process.send_signal(2)
        process.wait(timeout=60)


def lines(tool, path):
    """Returns what `view --json` says of a capture, by type."""
    done = subprocess.run([tool, "view", "--json", path], check=True, capture_output=True, text=True)
    found = {}
    for line in done.stdout.splitlines():
        line = json.loads(line)
        found.setdefault(line["type"], []).append(line)
    found.get("exchange", []).sort(key=lambda row: row["no"])
    return found
