//! Codes of mistakes in files: scenarios, topologies, forwarder configurations.

use crate::codes;

codes! {
    /// A file cannot be opened or read.
    FILE_UNREADABLE = "file-unreadable" {
        meaning: "The file cannot be opened or read, or it is not a regular file.",
        evidence: "The path, and the error of the operating system.",
        remedy: "Correct the path, or the permissions of the file.",
    }
    /// A file, or what it contains, exceeds a bound of the reader.
    FILE_TOO_LARGE = "file-too-large" {
        meaning: "The file exceeds a bound of the reader: its size, its nesting, the values that aliases repeat, or the number of files that extend one another.",
        evidence: "The bound and the place where it is exceeded.",
        remedy: "Split the file, or write it with less nesting and fewer aliases.",
    }
    /// A text that is not UTF-8, or holds a NUL byte.
    FILE_NOT_TEXT = "file-not-text" {
        meaning: "The file is not UTF-8 text.",
        evidence: "The first byte that is not part of a UTF-8 text.",
        remedy: "Save the file as UTF-8, or name another file.",
    }
    /// A text that is not YAML.
    YAML_SYNTAX = "yaml-syntax" {
        meaning: "The text violates the syntax of YAML 1.2, or uses a feature that labsim does not accept: tags, merge keys, several documents.",
        evidence: "The place where the parser stopped, and what it found there.",
        remedy: "Correct the line; the message says what to write.",
    }
    /// A chain of `extends` that cannot be followed.
    EXTENDS_INVALID = "extends-invalid" {
        meaning: "A file extends itself, directly or through other files, or removes a key that the extended file does not have.",
        evidence: "The value of `extends` or the removed key, and the files involved.",
        remedy: "Remove the line, or extend another file.",
    }
    /// A key that the format does not have.
    UNKNOWN_KEY = "unknown-key" {
        meaning: "A map holds a key that the format does not define at this place.",
        evidence: "The key at the given line and column, and the keys that are defined there.",
        remedy: "Correct the key; the message names the nearest one, `labsim schema` and the manual list all.",
    }
    /// A key that the format needs.
    MISSING_KEY = "missing-key" {
        meaning: "A map lacks a key that has no default.",
        evidence: "The map at the given line and column.",
        remedy: "Add the key.",
    }
    /// A key that a map holds twice.
    DUPLICATE_KEY = "duplicate-key" {
        meaning: "A map holds the same key twice.",
        evidence: "The second key, and the line of the first.",
        remedy: "Remove one of the two.",
    }
    /// Keys of which only one may be given.
    CONFLICTING_KEYS = "conflicting-keys" {
        meaning: "A map holds several keys of which only one is allowed.",
        evidence: "The keys that are given.",
        remedy: "Keep one of them.",
    }
    /// A value of another type than the format needs.
    WRONG_TYPE = "wrong-type" {
        meaning: "A value has another type or form than the format needs at this place, such as text instead of a number.",
        evidence: "The value, and what is expected there.",
        remedy: "Write a value of the expected form.",
    }
    /// A number outside of its range.
    OUT_OF_RANGE = "out-of-range" {
        meaning: "A number is smaller or larger than the format allows at this place.",
        evidence: "The number, and the allowed range.",
        remedy: "Write a number of the range.",
    }
    /// A word that is not one of those that are defined.
    UNKNOWN_WORD = "unknown-word" {
        meaning: "A value is not one of the words that are defined at this place.",
        evidence: "The value, and the words that are defined there.",
        remedy: "Write one of the words.",
    }
    /// A value that its own type rejects.
    INVALID_VALUE = "invalid-value" {
        meaning: "A value has the right type, and its content is not valid.",
        evidence: "The value, and the rule that it breaks.",
        remedy: "Correct the value; the message says how.",
    }
    /// A reference to a name that is not declared.
    UNKNOWN_NAME = "unknown-name" {
        meaning: "A value names something that the file does not declare.",
        evidence: "The name at the given place, and the declared names in the message.",
        remedy: "Correct the name, or declare what it refers to.",
    }
    /// The same thing declared twice.
    DUPLICATE_VALUE = "duplicate-value" {
        meaning: "A value that has to be unique is there twice.",
        evidence: "The second place; the message names the first.",
        remedy: "Remove one of the two, or give each its own value.",
    }
    /// A value that is needed and absent.
    MISSING_VALUE = "missing-value" {
        meaning: "Something that the rest of the file needs is absent.",
        evidence: "The place that needs it.",
        remedy: "Add what the message names.",
    }
    /// An address that cannot be used for this.
    UNUSABLE_ADDRESS = "unusable-address" {
        meaning: "An address is of a kind that no host can have here, such as multicast or loopback.",
        evidence: "The address at the given place.",
        remedy: "Write a global unicast address.",
    }
    /// Settings that exclude each other.
    CONFLICT = "conflict" {
        meaning: "Two settings exclude each other, or one has no effect beside the other.",
        evidence: "The place of one; the message names the other.",
        remedy: "Remove or change one of the two as the message says.",
    }
    /// Address families that do not go together.
    ADDRESS_FAMILY = "address-family" {
        meaning: "A setting or a pair of addresses works for one IP version only, and another is used.",
        evidence: "The addresses in the message.",
        remedy: "Use addresses of one family, a tunnel, or leave the setting out, as the message says.",
    }
    /// More than a limit.
    TOO_MANY = "too-many" {
        meaning: "A list or a sum exceeds a limit that bounds memory or work.",
        evidence: "The number and the limit in the message.",
        remedy: "Remove some, or divide them.",
    }
    /// An interface that cannot carry a configuration.
    INTERFACE_UNFIT = "interface-unfit" {
        meaning: "The forwarder's interface lacks an address or has an MTU that the configuration needs.",
        evidence: "The interface's addresses and MTU when the forwarder starts or is reconfigured.",
        remedy: "Change the interface or the configuration as the message says.",
    }
    /// A setting that is fixed while the forwarder runs.
    NOT_CHANGEABLE = "not-changeable" {
        meaning: "A new configuration changes a setting that is fixed while the forwarder runs.",
        evidence: "The key of the running and of the new configuration.",
        remedy: "Restart the forwarder, or leave the setting as it was.",
    }
    /// An address that is used twice.
    DUPLICATE_ADDRESS = "duplicate-address" {
        meaning: "An address belongs to an interface, a VIP or a SNAT pool already.",
        evidence: "The address at the given place; the message names its other owner.",
        remedy: "Give each its own address.",
    }

    /// An address that no node has.
    UNKNOWN_ADDRESS = "unknown-address" {
        meaning: "A pool member or a destination has an address that no node of the topology has.",
        evidence: "The address at the given place.",
        remedy: "Write the address of a node, or give the node this address.",
    }

    /// An address outside of the subnet of its link.
    WRONG_SUBNET = "wrong-subnet" {
        meaning: "The interfaces of one link or segment have addresses of different subnets.",
        evidence: "The address at the given place, and the subnet of the link in the message.",
        remedy: "Give the interface an address of the subnet.",
    }

    /// An interface without a link.
    UNLINKED_INTERFACE = "unlinked-interface" {
        meaning: "A node has an interface that no link or segment names.",
        evidence: "The interface at the given place.",
        remedy: "Name it in `links` or `segments`, or remove it.",
    }

    /// An MTU below what IPv6 needs.
    MTU_TOO_SMALL = "mtu-too-small" {
        meaning: "An MTU is smaller than the 1280 bytes that IPv6 requires (RFC 8200 5), outside or inside of the tunnel.",
        evidence: "The MTU, and the minimum in the message.",
        remedy: "Write a larger MTU.",
    }

    /// A kernel setting that a scenario cannot make.
    SYSCTL_INVALID = "sysctl-invalid" {
        meaning: "A sysctl is not a setting of a network namespace, names an interface that the node does not have, or has a value that is not one line.",
        evidence: "The name or the value at the given place.",
        remedy: "Correct the name or the value; the message says how.",
    }

    /// A node that cannot have two roles.
    NODE_ROLE = "node-role" {
        meaning: "A node is given a role that it cannot have: a load balancer without an interface, or with more than it works on.",
        evidence: "The node at the given place.",
        remedy: "Use another node.",
    }

    /// Several candidates where one is needed.
    AMBIGUOUS = "ambiguous" {
        meaning: "A value is left out that could be inferred if there were one candidate, and there are several.",
        evidence: "The candidates in the message.",
        remedy: "Write the value that the message asks for.",
    }

    /// A step that cannot happen at this point.
    STEP_ORDER = "step-order" {
        meaning: "A step needs a state that the steps before it do not leave: a running forwarder, a paused login, a stopped server.",
        evidence: "The step at the given place; the message names the state.",
        remedy: "Add the step that is missing, or change the order.",
    }

    /// A setting or a check that changes nothing.
    NO_EFFECT = "no-effect" {
        meaning: "A setting has no effect, or a check always holds or never can.",
        evidence: "The value at the given place.",
        remedy: "Change it as the message says, or remove it.",
    }

    /// A check of frames that are not captured.
    NOT_CAPTURED = "not-captured" {
        meaning: "An expectation, or an exercise, needs frames that `captures` leaves out.",
        evidence: "The expectation at the given place; the message names what is left out.",
        remedy: "Add what is left out to `captures`, or remove the expectation.",
    }

    /// A configuration that breaks Direct Server Return.
    DSR_BROKEN = "dsr-broken" {
        meaning: "A translation of addresses or ports is combined with Direct Server Return, so that the client cannot recognize the answer or the answers return through the load balancer, or a probe asks for a VIP that does not exist.",
        evidence: "The setting at the given place.",
        remedy: "Change it as the message says; a scenario may keep it to show the failure.",
    }

    /// A load balancer that is faulty on purpose.
    DELIBERATE_FAULT = "deliberate-fault" {
        meaning: "A load balancer does something wrong because the file says so, to show the failure that it leads to.",
        evidence: "The fault at the given place.",
        remedy: "Nothing, where the failure is to be shown; otherwise remove `faults`.",
    }

    /// An error in a configuration that is imported.
    IMPORT_INVALID = "import-invalid" {
        meaning: "A configuration of another load balancer has an error, or refers to something that it does not contain.",
        evidence: "The line of the configuration.",
        remedy: "Correct the configuration, or give the file that contains the missing part.",
    }

    /// An imported configuration without a usable virtual server.
    IMPORT_EMPTY = "import-empty" {
        meaning: "No virtual server of an imported configuration can be used in a scenario.",
        evidence: "What was not imported, and why.",
        remedy: "Give a configuration with a virtual server of the supported kinds.",
    }
}
