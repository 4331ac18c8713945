"""Collects what people send of servers and directors: the state of each host of a scenario's lab, after its steps."""
import os
import pathlib
import subprocess
import threading

# What `labsim import linux` asks for.
STATE = "ip -d addr; ip route; ip -6 route; ip rule; sysctl -a 2>/dev/null; ss -ltnu"
COUNTERS = "nstat -az"
# How many scenarios have to have them at least.
LEAST = 80
# A lab that is up and one that runs steps share the machine's processors.
one_at_a_time = threading.Lock()


def shell(labsim, lab, node, commands):
    command = [labsim, "exec", "--name", lab, node, "--", "sh", "-c", commands]
    ran = subprocess.run(command, capture_output=True, check=True)
    return ran.stdout


def collected(labsim, folder, scenario, nodes):
    """The options of explain that give the state of each node, with its counters before and after the steps."""
    lab = f"explain-{os.getpid()}"
    root = pathlib.Path(__file__).resolve().parent.parent.parent
    with one_at_a_time:
        subprocess.run([labsim, "up", "--name", lab, scenario], cwd=root, capture_output=True, check=True)
        try:
            for node in nodes:
                (folder / node).mkdir(parents=True)
                (folder / node / "counters-before.txt").write_bytes(shell(labsim, lab, node, COUNTERS))
            # An expectation may not hold in a lab that stays up, as its ends are another step's; the state counts.
            subprocess.run([labsim, "check", lab], cwd=root, capture_output=True, check=False)
            for node in nodes:
                (folder / node / "counters-after.txt").write_bytes(shell(labsim, lab, node, COUNTERS))
                (folder / node / "state.txt").write_bytes(shell(labsim, lab, node, STATE))
        finally:
            subprocess.run([labsim, "down", lab], cwd=root, capture_output=True, check=True)
    return [f"--linux={node}={folder / node}" for node in nodes]
