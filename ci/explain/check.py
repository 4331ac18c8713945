"""Counts what `labsim explain` says of captures whose truth is known; fails on a wrong word."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import captures
import distortions
import reproduction
import states

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "labsim/captures/tests/data/login.md"
# Scenarios that pass, and the causes that they have on purpose.
ON_PURPOSE = {"port-translation": {"port-differs"}}
HEALTHY = """
    tacacs-ipip tacacs-gre tacacs-gue l2-dsr http-ipip tcp-bulk-ipip port-translation snat snat-pool monitor
    radius-ipip radius-gre radius-fragments dns-gre ipv6/tacacs-6in4 ipv6/tacacs-gre-6in4 ipv6/tacacs-gue-6in4 ipv6/radius-6in6
""".split()
SCENARIOS = {pathlib.Path(name).name: f"scenarios/{name}.yaml" for name in HEALTHY}
# Lessons whose packets are all as they should be, and why.
IS_IN_NO_PACKET = {
    "flow-lingers": "the load balancer's own table",
    "icmp-error-misdelivered": "the answers arrive",
    "login-rejected": "the server's answer, which is encrypted",
    "one-source-port": "every request is answered, and all are one flow",
    "secret-mismatch": "the server's answer, which is encrypted",
}
# Lessons whose exchanges succeed: captures that lack what shows the fault show none.
SUCCEEDS = ["server-answers-arp", "server-answers-arp-with-tunnel"]
# Lessons with packets beside the exchanges, whose own cause a host's state shows.
BESIDE = {"inner-packets-filtered": {"vip-missing"}, "server-stopped-beside-noise": {"vip-missing"}}
# Forms of the load balancers' configurations, and of how many scenarios each has to be there at least.
EXPORTS = {"f5": 60, "a10": 60, "ipvs": 60}
# Scenarios of IPv6 and of both families, inside and outside of tunnels, that are reproduced as well.
IPV6 = "tacacs-6in6 tacacs-4in6 tacacs-gre-6in6 snat-ipv6 dnat-without-snat-ipv6 vip-missing-ipv6".split()
KINDS = ["right", "set", "open", "healthy", "nothing", "wrong"]
complaints = []


def explain(labsim, folder, files, options=()):
    """The document; `None` if there is nothing to explain."""
    os.makedirs(folder)
    names = []
    for name, content in files:
        path = os.path.join(folder, name)
        pathlib.Path(path).write_bytes(content)
        names.append(path)
    ran = subprocess.run([labsim, "explain", "--json", *options, *names], capture_output=True, text=True)
    if ran.returncode == 2 and not ran.stdout:
        return None
    if ran.returncode not in (0, 2):
        raise RuntimeError(f"labsim explain {' '.join(names)} ended with {ran.returncode}: {ran.stderr}")
    return json.loads(ran.stdout)


def exported(labsim, folder, scenario):
    """Each form that the scenario's load balancers can be exported in, with its option of explain."""
    os.makedirs(folder)
    for form in EXPORTS:
        ran = subprocess.run([labsim, "export", form, scenario], cwd=ROOT, capture_output=True, text=True)
        # Several load balancers, and addresses of IPv6, have no such export.
        if ran.returncode != 0 or not ran.stdout:
            continue
        path = pathlib.Path(folder) / form
        path.write_text(ran.stdout)
        option = f"--{form}={path}"
        # One that has no virtual server, as the form does not have what the scenario needs, is none.
        if subprocess.run([labsim, "explain", option, PAGE], capture_output=True).returncode == 0:
            yield form, option


def verdicts(document):
    """What is said of each connection, by its client and server."""
    found = [] if document is None else document["connections"]
    return {(connection["client"], connection["server"]): connection["verdict"] for connection in found}


def judge(truth, found, whole, may_be_healthy):
    """Which of KINDS the verdicts are, and what is wrong. `whole` are those of the captures as they were; `None` if
    the very packets may be lost that show the truth: then a set may lack it, and a cause must still be true."""
    text = ", ".join(sorted(truth)) or "nothing"
    kind = "open" if found else "nothing"
    healthy = 0
    for ends, verdict in found.items():
        named = {verdict["cause"]} - {None}
        possible = named | set(verdict["possible"])
        if named and not possible & truth:
            return "wrong", f"{verdict['cause']} instead of {text}"
        if named & truth:
            kind = "right"
        elif possible & truth and kind != "right":
            kind = "set"
        healthy += verdict["kind"] == "healthy"
        if whole is None or may_be_healthy:
            continue
        # A connection that is not there with all captures is a part of one that is: its addresses were translated.
        before = whole.get(ends, {"cause": None, "possible": truth})
        has_failed = bool({before["cause"], *before["possible"]} & truth)
        if verdict["kind"] == "healthy" and (has_failed or truth and len(whole) == 1):
            return "wrong", f"healthy instead of {text}"
        if has_failed and possible and not possible & truth:
            return "wrong", f"one of {', '.join(sorted(possible))} instead of {text}"
    if found and healthy == len(found):
        is_wrong = truth and whole is found and not may_be_healthy
        return ("wrong", f"healthy instead of {text}") if is_wrong else ("healthy", "")
    return kind, ""


def of_servers(options):
    return [option for option in options if option.startswith("--linux=rs")]


def is_narrower(before, after, truth):
    """Whether each set of causes is the one of before or a part of it, or the truth."""
    codes = lambda verdict: {verdict["cause"], *verdict["possible"]} - {None}
    said = {ends: codes(verdict) for ends, verdict in before.items()}
    return all(not said.get(ends) or codes(verdict) <= said[ends] | truth for ends, verdict in after.items())


def run(labsim, out, scenarios):
    """Runs scenarios; the folder of each by its name."""
    command = [labsim, "run", *scenarios, "--out", out]
    ran = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if ran.returncode != 0:
        sys.exit(f"ci/explain: the scenarios did not pass:\n{ran.stdout}")
    if " 0 skipped" not in ran.stdout.splitlines()[-1]:
        print(ran.stdout.splitlines()[-1])
    return {path.parent.relative_to(out).as_posix(): path.parent for path in pathlib.Path(out).rglob("capture.pcapng")}


def truth_of(folder):
    """The codes of all causes that the lab found."""
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    return {cause["code"] for event in events if event["event"] == "diagnosed" for cause in event.get("causes", [])}


def check_page(labsim):
    """The page with three captures is a healthy login, traced at all points, its clocks bounded."""
    ran = subprocess.run([labsim, "explain", "--json", PAGE], capture_output=True, text=True, check=True)
    document = json.loads(ran.stdout)
    clocks = [(it["at_least_ns"], it["at_most_ns"]) for it in document["clocks"]]
    connections = document["connections"]
    seen = {
        "connections": len(connections),
        "kind": [it["verdict"]["kind"] for it in connections],
        "packets": [point["packets"] for it in connections for point in it["requests"]],
        "client to balancer, client to server": clocks[:2],
        "findings": document["icmp_errors"] + document["notices"],
    }
    expected = {
        "connections": 1,
        "kind": ["healthy"],
        "packets": [6, 6, 6],
        "client to balancer, client to server": [(5_779_194_000, 5_782_072_000), (-601_648_000, -598_770_000)],
        "findings": [],
    }
    if seen != expected:
        complaints.append(f"the page: {seen} instead of {expected}")


def table(title, counts, kinds=KINDS):
    print(f"\n{title:37}" + "".join(f"{kind:>11}" for kind in kinds))
    for name, of_name in counts.items():
        print(f"{name:37}" + "".join(f"{of_name[kind]:11}" for kind in kinds))
    total = sum(counts.values(), Counter())
    print(f"{'all':37}" + "".join(f"{total[kind]:11}" for kind in kinds))


def check_reproductions(labsim, work, cases):
    """The labs that are built for the wires of client, load balancer and servers: which have the same packets."""
    counts, notes = {}, []
    for group, name, truth, frames in cases:
        connections = reproduction.reproduce(labsim, pathlib.Path(work) / "reproduced" / group / name, frames)
        kind, why = reproduction.of_lesson(truth, connections)
        counts[f"{group} {name}"] = Counter([kind])
        if kind == "wrong":
            complaints.append(f"{name}, reproduced: {why}")
        elif why:
            notes.append(f"  {group} {name}: {kind}: {why}")
        if group == "ipv6" and kind not in (["the cause", "among"] if truth else ["healthy"]):
            complaints.append(f"{name}, reproduced: {kind}")
    table("reproduced", counts, reproduction.KINDS)
    print("\n".join(["", *notes]))
    seen = sum(counts.values(), Counter())
    if seen["the cause"] + seen["among"] < 20:
        complaints.append(f"too little is reproduced for this check to mean anything: {dict(seen)}")


def check_configured(labsim, work, cases):
    """Labs of a client's capture and of each form of the load balancer's configuration: the tunnel and the member are
    those that the configuration has."""
    # ACOS's tunnels to servers are IPIP.
    expected = {
        "f5": ("tacacs-gre", ["profile: gre", '"10.1.1.51:49"']),
        "a10": ("tacacs-ipip", ["profile: ipip", '"10.1.1.51:49"']),
        "ipvs": ("tacacs-gre", ["profile: gre", '"10.1.1.51:49"']),
    }
    for form, (scenario, parts) in expected.items():
        frames = next(frames for _, name, _, frames in cases if name == scenario)
        options = dict(exported(labsim, work / "configured" / form, SCENARIOS[scenario]))
        if form not in options:
            complaints.append(f"{scenario} has no export of the form {form}")
            continue
        folder = work / "reproduced-with" / form
        if wrong := reproduction.with_configuration(labsim, folder, frames, options[form], parts):
            complaints.append(f"{scenario}, reproduced with {form}: {wrong}")


def main():
    labsim = sys.argv[1]
    check_page(labsim)
    with tempfile.TemporaryDirectory() as work:
        faults = run(labsim, f"{work}/faults", ["scenarios/faults"])
        healthy = run(labsim, f"{work}/healthy", [f"scenarios/{name}.yaml" for name in HEALTHY])
        cases = []
        for group, folders in [("fault", faults), ("healthy", healthy)]:
            for name, folder in sorted(folders.items()):
                truth = truth_of(folder)
                if bool(truth) != (group == "fault"):
                    complaints.append(f"{name}: the lab's causes are {', '.join(sorted(truth)) or 'none'}")
                truth = truth or ON_PURPOSE.get(name, set())
                cases.append((group, name, truth, captures.read(folder / "capture.pcapng")))

        def all_of(case):
            group, name, truth, frames = case
            may_be_healthy = name in IS_IN_NO_PACKET

            def found(distortion, files, options=()):
                folder = f"{work}/explained/{group}/{name}/{distortion}"
                files = [(file, content) for file, content in files if content]
                return verdicts(explain(labsim, folder, files, options))

            whole = found("as it is", [("lab", captures.pcapng(frames))])
            results = [("as it is", judge(truth, whole, whole, may_be_healthy))]
            for distortion, files in distortions.all_of(name, frames):
                if files:
                    may_be = may_be_healthy or name in SUCCEEDS
                    known = None if distortion in distortions.LOSSY else whole
                    results.append((distortion, judge(truth, found(distortion, files), known, may_be)))
            # With the places' names; what is seen with them may be more than without.
            roles = [f"--role={role}" for role in distortions.roles(frames)]
            told = found("roles given", distortions.of_nodes(frames), roles)
            results.append(("roles given", judge(truth, told, told, may_be_healthy)))
            # With the configuration that the load balancers began with.
            scenario = f"scenarios/faults/{name}.yaml" if group == "fault" else SCENARIOS[name]
            for form, option in exported(labsim, f"{work}/exported/{group}/{name}", scenario):
                told = found(f"with {form}", distortions.of_nodes(frames), [option])
                results.append((f"with {form}", judge(truth, told, told, may_be_healthy)))
            # With the states of servers and load balancers, which decide between causes, and may not add one.
            per_node = distortions.of_nodes(frames)
            nodes = [node for node, _ in per_node if node.startswith(("rs", "lb"))]
            folder = pathlib.Path(work) / "states" / group / name
            options = states.collected(labsim, folder, scenario, nodes)
            before = found("without state", per_node)
            for form, given in [("with state", options), ("with the servers' state", of_servers(options))]:
                told = found(form, per_node, given)
                causes = truth | BESIDE.get(name, set())
                kind, why = judge(causes, told, told, may_be_healthy)
                if kind != "wrong" and not is_narrower(before, told, causes):
                    kind, why = "wrong", "a set that is not narrower than without"
                results.append((form, (kind, why)))
            return group, name, results

        by_distortion = {"fault": {}, "healthy": {}}
        by_lesson = {}
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for group, name, results in pool.map(all_of, cases):
                for distortion, (kind, why) in results:
                    by_distortion[group].setdefault(distortion, Counter())[kind] += 1
                    by_lesson.setdefault(f"{name}", Counter())[kind] += 1
                    if kind == "wrong":
                        complaints.append(f"{name}, {distortion}: {why}")
        ipv6 = run(labsim, f"{work}/ipv6", [f"scenarios/ipv6/{name}.yaml" for name in IPV6])
        of_ipv6 = [("ipv6", name, truth_of(it), captures.read(it / "capture.pcapng")) for name, it in sorted(ipv6.items())]
        check_reproductions(labsim, work, cases + of_ipv6)
        check_configured(labsim, pathlib.Path(work), cases)
    table("lessons", by_lesson)
    table("faults", by_distortion["fault"])
    table("healthy scenarios", by_distortion["healthy"])
    for form, least in EXPORTS.items():
        given = sum(sum(counts.get(f"with {form}", {}).values()) for counts in by_distortion.values())
        if given < least:
            complaints.append(f"only {given} scenarios have a configuration of {form}")
    given = sum(sum(counts.get("with state", {}).values()) for counts in by_distortion.values())
    if given < states.LEAST:
        complaints.append(f"only {given} scenarios have the states of their hosts")
    seen = sum(by_distortion["fault"].values(), Counter())
    if seen["right"] < 50 or seen["set"] < 300:
        complaints.append(f"too little is recognized for this check to mean anything: {dict(seen)}")
    for text in complaints:
        print(f"ci/explain: {text}", file=sys.stderr)
    sys.exit(1 if complaints else 0)


main()
