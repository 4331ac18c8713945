//! Codes of errors of a run: what the machine lacks, and what failed while a lab was built or used.

use crate::codes;

codes! {
    /// A partition's results are missing.
    NO_RESULT = "no-result" {
        meaning: "Merged results lack those of a scenario: the partition that it belongs to ended early or was not named.",
        evidence: "The list of scenarios in the run.json of the partitions, and a folder without the event scenario_ended.",
        remedy: "Run that partition again and merge all of them.",
    }
    /// The process that holds a lab cannot do its work.
    HOLDER_FAILED = "holder-failed" {
        meaning: "The process that keeps a lab up could not write the files of the lab's folder or listen on its socket, or `labsim up` was ended before the lab was ready.",
        evidence: "The error of the call.",
        remedy: "Free space on the file system of the lab's folder ($XDG_RUNTIME_DIR/labsim, /run/labsim-UID or /tmp/labsim-UID), and run `labsim up` again.",
    }
    /// No rights to run labs.
    RIGHTS_MISSING = "rights-missing" {
        meaning: "The process may create no network namespaces, neither as root nor in a user namespace: no scenario can run.",
        evidence: "The refusal of unshare(2), and the kernel setting or filter that explains it.",
        remedy: "Run as root, or change the setting that the message names; see `labsim doctor`.",
    }
    /// No network namespace can be created.
    NAMESPACE_REFUSED = "namespace-refused" {
        meaning: "The kernel refused to create a network namespace for a node of the lab.",
        evidence: "The error of unshare(2) for the named node.",
        remedy: "Run as root or grant CAP_SYS_ADMIN; raise user.max_net_namespaces if it is used up.",
    }
    /// A capability is missing.
    CAPABILITY_MISSING = "capability-missing" {
        meaning: "The process lacks a capability that building or capturing needs, such as CAP_NET_ADMIN or CAP_NET_RAW.",
        evidence: "EPERM of the named operation inside the node's network namespace.",
        remedy: "Run as root, or grant the capability (in a container: --cap-add).",
    }
    /// No TUN device.
    TUN_MISSING = "tun-missing" {
        meaning: "The userspace decapsulator needs a TUN device and none can be created.",
        evidence: "The error of opening /dev/net/tun or of creating the device.",
        remedy: "Load the tun module, pass /dev/net/tun into the container, or use the kernel's tunnel: --tunnel kernel.",
    }
    /// No kernel tunnel of this kind.
    KERNEL_TUNNEL_MISSING = "kernel-tunnel-missing" {
        meaning: "The kernel's own tunnel was requested and this kernel has no device of its kind.",
        evidence: "The kernel refused to create the device in a namespace made for the probe.",
        remedy: "Load the named module with modprobe, or use labsim's decapsulator: --tunnel userspace.",
    }
    /// The kernel's tunnel modules are in the way.
    KERNEL_TUNNEL_CONFLICT = "kernel-tunnel-conflict" {
        meaning: "The kernel's tunnel modules are loaded and reject the packets that labsim's decapsulator receives as well.",
        evidence: "A packet of the tunnel's protocol, sent to itself in a namespace made for the probe, was not counted as an unknown protocol.",
        remedy: "Use the kernel's tunnel (--tunnel kernel), or unload the named modules.",
    }
    /// No netem.
    NETEM_MISSING = "netem-missing" {
        meaning: "The kernel's netem was requested for impaired links, and this kernel has none or ignores some of its settings.",
        evidence: "netem was set on a device in a namespace made for the probe and read back.",
        remedy: "Load sch_netem with modprobe, or use labsim's relay: --impairments relay.",
    }
    /// netem differs from its settings.
    NETEM_DIFFERS = "netem-differs" {
        meaning: "netem accepted the settings of an impaired link and reports other ones.",
        evidence: "The settings read back from the queueing discipline of the named interface.",
        remedy: "Use labsim's relay: --impairments relay.",
    }
    /// No packet filter.
    NFTABLES_MISSING = "nftables-missing" {
        meaning: "The scenario has filters, or a load balancer whose node has the VIP or forwards, and this kernel has no nftables or lacks a part of it that a rule needs.",
        evidence: "The kernel's refusal of the named chain or rule while the lab was built or the forwarder started.",
        remedy: "Load nf_tables, nft_ct and nft_reject_inet with modprobe, or use a kernel with CONFIG_NF_TABLES_INET.",
    }
    /// No filters at an interface's ingress.
    INGRESS_FILTER_MISSING = "ingress-filter-missing" {
        meaning: "A load balancer translates source addresses, and this kernel cannot be kept from answering the servers' packets to them: it has no queueing discipline or no BPF filter at an interface's ingress.",
        evidence: "The kernel's refusal (ENOENT) of the discipline or the filter when the forwarder started.",
        remedy: "Load sch_ingress and cls_bpf with modprobe, or use a kernel that has them.",
    }
    /// No IPVS.
    IPVS_MISSING = "ipvs-missing" {
        meaning: "A load balancer has `engine: ipvs`, or `--engine ipvs` was given, and this kernel has no IPVS (Linux Virtual Server) or lacks a scheduler of it.",
        evidence: "The kernel's refusal of the netlink family IPVS, or of a service with the scheduler, in a namespace made for the probe.",
        remedy: "Load ip_vs and the scheduler's module (ip_vs_rr, ip_vs_wrr, ip_vs_lc, ip_vs_wlc, ip_vs_mh) with modprobe, or use labsim's own forwarder: `engine: labsim`.",
    }
    /// Not to be had of IPVS.
    IPVS_INEXPRESSIBLE = "ipvs-inexpressible" {
        meaning: "`--engine ipvs` was given for a scenario that needs something that IPVS does not have or does in another way.",
        evidence: "The load balancer's keys, the steps and the expectations that the message names.",
        remedy: "Run the scenario with labsim's own forwarder: --engine labsim.",
    }
    /// No IPv6.
    IPV6_MISSING = "ipv6-missing" {
        meaning: "The scenario has IPv6 addresses, and this kernel runs no IPv6.",
        evidence: "/proc/sys/net/ipv6 does not exist.",
        remedy: "Boot the kernel without ipv6.disable=1, or load its ipv6 module.",
    }
    /// Unknown sysctl.
    SYSCTL_UNKNOWN = "sysctl-unknown" {
        meaning: "A sysctl of the scenario, which Linux has, does not exist in a network namespace of this kernel.",
        evidence: "The file below /proc/sys does not exist in the node's namespace.",
        remedy: "Use a kernel that has it, or load the module that it belongs to.",
    }
    /// Read-only /proc/sys.
    SYSCTL_READ_ONLY = "sysctl-read-only" {
        meaning: "A sysctl cannot be set because /proc/sys is mounted read-only.",
        evidence: "EROFS when the named key is written.",
        remedy: "Start the container with --cap-add SYS_ADMIN or --security-opt systempaths=unconfined (podman: unmask=/proc/sys).",
    }
    /// AppArmor denies the sysctl.
    SYSCTL_APPARMOR = "sysctl-apparmor" {
        meaning: "An AppArmor profile denies writing a sysctl.",
        evidence: "Permission denied when the named key is written, and the profile in /proc/self/attr.",
        remedy: "Start the container with --security-opt apparmor=unconfined.",
    }
    /// The kernel rejected a sysctl.
    SYSCTL_REJECTED = "sysctl-rejected" {
        meaning: "The kernel rejected a sysctl's value, or kept another value.",
        evidence: "The error of the write, or the value that was read back.",
        remedy: "Correct the value; run outside of a sandbox that guards /proc/sys.",
    }
    /// No packet sockets.
    PACKET_SOCKET_MISSING = "packet-socket-missing" {
        meaning: "The kernel has no packet sockets, which captures and forwarders need.",
        evidence: "The error of socket(2) with AF_PACKET.",
        remedy: "Load af_packet, or use a kernel with CONFIG_PACKET.",
    }
    /// A program is not installed.
    PROGRAM_MISSING = "program-missing" {
        meaning: "A program that the scenario runs, and of which it names the package, is not installed.",
        evidence: "No executable file of that name in PATH and the system's folders for programs.",
        remedy: "Install the named package, or write the program's path.",
    }
    /// There is no such program.
    PROGRAM_UNKNOWN = "program-unknown" {
        meaning: "A program that the scenario runs does not exist, and the file names no package that would have it.",
        evidence: "No executable file of that name in PATH and the system's folders for programs.",
        remedy: "Correct the program's name or path. For a program that is not installed everywhere, name its Debian package in `package`; where it is missing, the scenario is then skipped.",
    }
    /// The lab could not be built.
    BUILD_FAILED = "build-failed" {
        meaning: "The kernel rejected a request while the lab was built, or a link has no carrier.",
        evidence: "The named operation and the kernel's error.",
        remedy: "Correct what the scenario asks for; see `labsim doctor` and the kernel's log.",
    }
    /// A resource of the process ran out.
    PROCESS_LIMIT = "process-limit" {
        meaning: "labsim could not start a thread, open a descriptor or enter a namespace.",
        evidence: "The error of the named system call.",
        remedy: "Raise the limit of open files or processes (ulimit -n, ulimit -u), or run fewer jobs.",
    }
    /// A capture failed.
    CAPTURE_FAILED = "capture-failed" {
        meaning: "The captures could not be started, marked, flushed or ended.",
        evidence: "The error of the packet socket or of the thread that reads it.",
        remedy: "See the error; raise the limit of open files if descriptors ran out.",
    }
    /// A capture lost frames.
    CAPTURE_DROPPED = "capture-dropped" {
        meaning: "A capture had no room for frames: what was not seen at its node proves nothing.",
        evidence: "The number of frames that the packet socket or its reader dropped.",
        remedy: "Run fewer scenarios at a time (--jobs), or shorten the step that sends so many frames.",
    }
    /// A relay lost frames.
    RELAY_DROPPED = "relay-dropped" {
        meaning: "The relay of an impaired link did not read fast enough and lost frames that the link was not to lose.",
        evidence: "The relay's counter receive_dropped.",
        remedy: "Run fewer scenarios at a time (--jobs), or impair the link by netem: --impairments netem.",
    }
    /// The neighbour table was full.
    NEIGHBOUR_TABLE_FULL = "neighbour-table-full" {
        meaning: "The machine's kernel refused ARP or IPv6 neighbour entries during a run that did not pass: its tables are for all network namespaces together, 1,024 entries each by default. Packets to such neighbours are dropped, whatever the scenario says.",
        evidence: "The column table_fulls of /proc/net/stat/arp_cache and ndisc_cache, which rose during the run. They are shown in the machine's first network namespace only, and so not in most containers.",
        remedy: "Run fewer or smaller labs at a time (--jobs), or raise net.ipv4.neigh.default.gc_thresh3 and net.ipv6.neigh.default.gc_thresh3 on the machine.",
    }
    /// A step failed.
    STEP_FAILED = "step-failed" {
        meaning: "A login, a request or a program of a step did not end with `pass`, and no `answer` expectation is about the step; or what a step waits for did not happen in time.",
        evidence: "The result of the login or request; the program's exit code or signal and its last lines; the counter or member that the step waits for.",
        remedy: "Correct what the step does. If it has to end so, add an `answer` expectation for it, or give a program its `exit` code.",
    }
    /// The relay failed.
    RELAY_FAILED = "relay-failed" {
        meaning: "The relay of impaired links could not be started.",
        evidence: "The error of its sockets or its thread.",
        remedy: "See the error; raise the limit of open files if descriptors ran out.",
    }
    /// A decapsulator failed.
    DECAPSULATOR_FAILED = "decapsulator-failed" {
        meaning: "A userspace decapsulator could not be started, or stopped processing packets.",
        evidence: "The error of its sockets or its thread.",
        remedy: "See the error, or use the kernel's tunnel: --tunnel kernel.",
    }
    /// A built-in server failed.
    SERVER_FAILED = "server-failed" {
        meaning: "A built-in TACACS+ or RADIUS server could not listen on its ports.",
        evidence: "The error of bind(2) or listen(2) in the server's node.",
        remedy: "Give another port if a program of the same node uses it.",
    }
    /// A forwarder could not be started.
    FORWARDER_NOT_STARTED = "forwarder-not-started" {
        meaning: "The process of a forwarder could not be started in its node.",
        evidence: "The error of starting the process.",
        remedy: "See the error; the labsim program has to be readable and executable.",
    }
    /// A forwarder ended.
    FORWARDER_ENDED = "forwarder-ended" {
        meaning: "A forwarder ended before the run did.",
        evidence: "Its closed standard streams, and the end of its standard error.",
        remedy: "See its last messages.",
    }
    /// A forwarder did not reply.
    FORWARDER_TIMED_OUT = "forwarder-timed-out" {
        meaning: "A forwarder did not reply to a request in time.",
        evidence: "No line on its standard output within the time limit.",
        remedy: "Run fewer jobs on an overloaded machine; otherwise report it.",
    }
    /// A forwarder's reply is not valid.
    FORWARDER_REPLY_INVALID = "forwarder-reply-invalid" {
        meaning: "A forwarder's reply cannot be parsed, or does not belong to the request.",
        evidence: "The line on its standard output.",
        remedy: "Report it as a defect of labsim.",
    }
    /// A forwarder rejected a command.
    FORWARDER_REJECTED = "forwarder-rejected" {
        meaning: "A forwarder rejected a change of its configuration.",
        evidence: "The reasons in its reply.",
        remedy: "Correct what the step changes.",
    }
    /// A program could not be started.
    PROGRAM_NOT_STARTED = "program-not-started" {
        meaning: "A program of the scenario is installed and could not be started in its node.",
        evidence: "The error of starting the process.",
        remedy: "See the error; check the program's permissions and its interpreter.",
    }
    /// A program ended too early.
    PROGRAM_ENDED = "program-ended" {
        meaning: "A program that has to run beside the steps ended before they did.",
        evidence: "Its exit status and the last lines of its output.",
        remedy: "See its output; use `ready: exit` for a program that is expected to end.",
    }
    /// A program did not become ready.
    PROGRAM_NOT_READY = "program-not-ready" {
        meaning: "A program did not become ready within its timeout.",
        evidence: "The condition of `ready` that was not met, and the last lines of its output.",
        remedy: "Correct `ready`, raise `timeout`, or mend the program's configuration.",
    }
    /// Counters cannot be read.
    COUNTERS_UNREADABLE = "counters-unreadable" {
        meaning: "The kernel's counters or open ports of a node cannot be read.",
        evidence: "The error of reading them in the node's namespace.",
        remedy: "See the error; /proc/net has to be readable.",
    }
    /// A client's socket failed.
    SOCKET_FAILED = "socket-failed" {
        meaning: "A client's socket could not be created in its node.",
        evidence: "The error of the system call.",
        remedy: "See the error; raise the limit of open files if descriptors ran out.",
    }
    /// A packet could not be sent.
    PACKET_NOT_SENT = "packet-not-sent" {
        meaning: "A crafted packet could not be built or sent.",
        evidence: "The error of building it or of sendto(2).",
        remedy: "Give the node a route to the destination, and the packet valid fields.",
    }
    /// An interface could not be set.
    LINK_NOT_SET = "link-not-set" {
        meaning: "An interface could not be set up or down.",
        evidence: "The kernel's error.",
        remedy: "See the error.",
    }
    /// A node could not be changed.
    NODE_NOT_CHANGED = "node-not-changed" {
        meaning: "A step could not change a route, an address or a packet filter of a node.",
        evidence: "The kernel's error.",
        remedy: "See the error; an address or a route that is to be removed has to be there, and the next hop's interface up.",
    }
    /// A scenario took too long.
    SCENARIO_TIMED_OUT = "scenario-timed-out" {
        meaning: "A scenario did not end within the time that `labsim run --timeout` allows; its lab was torn down.",
        evidence: "The time since the scenario began, and its last event.",
        remedy: "Allow more time (--timeout), run fewer jobs, or correct the step that waits.",
    }
    /// The run took too long.
    RUN_TIMED_OUT = "run-timed-out" {
        meaning: "The run did not end within the time that `labsim run --run-timeout` allows; the scenario was ended and its lab torn down.",
        evidence: "The time since the run began.",
        remedy: "Allow more time (--run-timeout), or run fewer scenarios at a time.",
    }
    /// The run contradicts its scenario.
    INCONSISTENT = "inconsistent" {
        meaning: "A step or a part of the plan names something that the running lab does not have. A valid scenario does not lead here.",
        evidence: "The name that was not found.",
        remedy: "Report it as a defect of labsim.",
    }
    /// A step does not fit the state of the lab.
    STEP_IMPOSSIBLE = "step-impossible" {
        meaning: "A step of a lab that stays up cannot be done in the state in which the lab is: a forwarder that is to be killed does not run, one that is to be started runs already, or a login that is to be continued is not open.",
        evidence: "What does not run, runs already or is not open.",
        remedy: "Run the steps before it first (`labsim step NAME`), or make the lab anew (`labsim down`, then `labsim up`).",
    }
    /// The run was interrupted.
    INTERRUPTED = "interrupted" {
        meaning: "A signal ended the run before the scenario's verdict.",
        evidence: "SIGINT, SIGTERM or SIGHUP.",
        remedy: "Run the scenario again.",
    }
}
