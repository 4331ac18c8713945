"""Counts what the labs of `labsim explain --reproduce` show of captures whose truth is known."""
import json
import pathlib
import subprocess

import captures
import distortions

KINDS = ["the cause", "among", "healthy", "not built", "not said", "wrong"]


def points(frames):
    """The wires of client, load balancer and servers as pcap files, and what each is."""
    wires = distortions.without(distortions.on_wires(frames), "firewall")
    files, roles = [], distortions.roles(wires)
    for node, part in distortions.by_node(wires).items():
        files.append((node, captures.pcap(part, nanoseconds=True)))
    return files, roles


def reproduce(labsim, folder, frames):
    """What is said of each connection; nothing if there is nothing to explain."""
    folder.mkdir(parents=True)
    files, roles = points(frames)
    named = []
    for node, content in files:
        path = folder / f"{node}.pcap"
        path.write_bytes(content)
        named.append(f"{node}={path}")
    given = [f"--role={role}" for role in roles]
    command = [labsim, "explain", "--json", "--reproduce", folder / "labs", *given, *named]
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode == 2 and not ran.stdout:
        return []
    # With 2 the captures have no connection in common, and there is a document all the same.
    if ran.returncode not in (0, 2):
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {ran.returncode}: {ran.stderr}")
    return json.loads(ran.stdout)["reproduction"]["connections"]


def kind_of(truth, connection):
    """Which of KINDS a connection is, and why, if that is to be told."""
    same = {lab["cause"] for lab in connection["labs"] if lab["result"] == "same"}
    built = {lab["cause"] for lab in connection["labs"] if lab["result"] != "not_compared"}
    said = set(connection["causes"])
    if connection["impossible"]:
        return "not built", connection["impossible"]
    if None in same:
        return "healthy", ""
    if same & truth:
        return ("the cause" if same <= truth else "among"), ", ".join(sorted(same - truth))
    failed = {lab["cause"] for lab in connection["labs"] if lab["result"] == "not_compared"}
    if truth & built and not truth & failed and len(truth) == 1 and (said or connection["tries_all"]):
        return "wrong", f"{', '.join(sorted(truth))} was built, and its packets are others; the same: {sorted(same)}"
    if said & truth or truth & failed:
        failed = [f"{lab['name']}: {lab['why']}" for lab in connection["labs"] if lab["result"] == "not_compared"]
        failed += [f"{it['cause']}: {it['why']}" for it in connection["not_built"] if it["cause"] in truth]
        return "not built", "; ".join(failed) or "two faults at once"
    return "not said", f"the same: {', '.join(sorted(same))}" if same else ""


def of_lesson(truth, connections):
    """The kind of a lesson: that of the connection that says most of the fault."""
    order = ["the cause", "among", "wrong", "not built", "not said", "healthy"]
    kinds = [kind_of(truth, connection) for connection in connections]
    return min(kinds, key=lambda it: order.index(it[0]), default=("not said", "nothing is explained"))


def with_configuration(labsim, folder, frames, option, expected):
    """What is wrong with the lab that is made of the client's capture alone and of a configuration."""
    client = distortions.alone(distortions.on_wires(frames), "client")
    folder.mkdir(parents=True)
    path = folder / "client.pcap"
    path.write_bytes(captures.pcap(client, nanoseconds=True))
    command = [labsim, "explain", "--json", option, "--reproduce", folder / "labs", f"client={path}"]
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode != 0:
        return f"explain ended with {ran.returncode}: {ran.stderr}"
    connection = json.loads(ran.stdout)["reproduction"]["connections"][0]
    scenario = (folder / "labs" / "connection-1" / "healthy.yaml").read_text()
    missing = [text for text in expected if text not in scenario]
    results = [lab["result"] for lab in connection["labs"] if lab["cause"] is None]
    if missing or results != ["same"]:
        return f"the lab lacks {missing}, and its packets are {results}"
    return None
